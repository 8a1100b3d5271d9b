#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "krylov/basis/basis.h"

namespace ritzflow::krylov {

/// What is known of a returned pair.
enum class Verdict {
  converged,    ///< true residual within residual_goal()
  unconverged,  ///< a direction of its own, but not there yet
  ghost,        ///< another copy of a returned pair: most of its vector lies in their span
  spurious      ///< no usable vector (||Q's|| < 0.1), and no copy of a returned value
};

std::string verdict_name(Verdict verdict);

/// A returned pair (theta, x) with x = Q's / ||Q's|| and its evidence.
struct RitzPair {
  double value = 0;                  ///< theta
  double residual = 0;               ///< ||A x - theta x||, by one product
  double estimate = 0;               ///< beta |s_m| / ||Q's||
  double basis_norm = 0;             ///< ||Q's||
  double gamma = 0;                  ///< s_1^2
  double shift = HUGE_VAL;           ///< |x'A x - theta|, by the same product as the residual
  double gap = 0;                    ///< to the other eigenvalues, where a certificate vouches for it; else 0
  std::array<double, 2> interval{};  ///< contains an eigenvalue of A (judge_pair(), narrow_by_gaps())
  Verdict verdict = Verdict::unconverged;
  std::vector<double> vector;  ///< x [n]; empty while it lies on a shelf
  int64_t shelf_row = -1;      ///< where there
};

/// x of a pair for as long as this lives: as it is in memory, or read from its row of the shelf.
class PairVector {
 public:
  PairVector(const RitzPair& pair, const Basis* shelf)
      : read_(pair.shelf_row < 0 ? std::vector<double>{} : shelf->row(pair.shelf_row)),
        view_(pair.shelf_row < 0 ? pair.vector : read_) {}
  PairVector(const PairVector&) = delete;
  PairVector& operator=(const PairVector&) = delete;

  VectorView view() const { return view_; }

 private:
  std::vector<double> read_;
  VectorView view_;
};

}  // namespace ritzflow::krylov
