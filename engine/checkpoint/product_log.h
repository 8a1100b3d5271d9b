#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/segment_folder.h"
#include "krylov/process/linear_operator.h"

namespace ritzflow::checkpoint {

/// The operator of a deterministic computation, with its products kept in segments: started again, the
/// computation reads the products that it had from there, in their order and bit for bit, and resumes
/// after them. A recorded product is used only where the SHA-256 of its vector is that of the vector asked
/// for. A signal ends the stage after the product in progress (stop_by_signal()).
class ProductLog final : public krylov::LinearOperator {
 public:
  /// `folder` null: nothing is kept.
  ProductLog(krylov::LinearOperator& op, SegmentFolder* folder);
  ~ProductLog() override;

  int64_t dim() const override { return operator_.dim(); }
  void apply(VectorView v, VectorSpan out) override;

 private:
  struct Recorded;
  bool replay(const std::string& digest, VectorSpan out);
  void record(const std::string& digest, VectorView product);
  void flush();

  krylov::LinearOperator& operator_;
  SegmentFolder* folder_;
  int64_t next_ = 0;                ///< products so far, replayed ones included
  int64_t saved_ = 0;               ///< products in segments
  std::vector<Recorded> recorded_;  ///< segments of an earlier attempt, in their order
  std::vector<std::string> digests_;
  std::vector<double> rows_;  ///< products that are in no segment yet
};

}  // namespace ritzflow::checkpoint
