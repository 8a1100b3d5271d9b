#include "curvature/kfac/kfac_spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>
#include <tuple>

namespace ritzflow::curvature {
namespace {

/// Where an eigenvalue comes from.
struct Place {
  double value;
  size_t block;   ///< the number of blocks: a parameter without factors
  int64_t index;  ///< in Lambda, or the parameter's coordinate
};

void require_closed_form(const KroneckerOperator& op) {
  if (!op.has_closed_form()) throw std::invalid_argument("the operator's spectrum has no closed form");
}

void add_places(const KroneckerOperator& op, size_t b, std::vector<Place>& places) {
  const at::Tensor lambda = op.blocks()[b].eigenvalues();
  for (int64_t e = 0; e < lambda.numel(); ++e) places.push_back({lambda.data_ptr<double>()[e], b, e});
}

/// Column o of U_G times column i of U_A', for element (o, i) of Lambda [out, in].
void write_eigenvector(const KroneckerBlock& block, const KroneckerBlock::Eigenvectors& u, int64_t index,
                       std::vector<double>& x) {
  const int64_t in = block.eigenvalues().size(1), o = index / in, i = index % in;
  const at::Tensor a =
      u.u_a.defined() ? u.u_a.select(1, i) : at::zeros({in}, at::kDouble).index_fill_(0, at::tensor(i), 1);
  block.write(at::outer(u.u_g.select(1, o), a),
              at::from_blob(x.data(), {static_cast<int64_t>(x.size())}, at::kDouble));
}

/// The k leading of the places, with their vectors.
std::vector<Eigenpair> leading(const KroneckerOperator& op, std::vector<Place> places, int64_t k) {
  const auto wanted = places.begin() + std::min<int64_t>(k, static_cast<int64_t>(places.size()));
  std::partial_sort(places.begin(), wanted, places.end(), [](const Place& x, const Place& y) {
    return std::tuple(-x.value, x.block, x.index) < std::tuple(-y.value, y.block, y.index);
  });
  std::map<size_t, KroneckerBlock::Eigenvectors> vectors;
  std::vector<Eigenpair> pairs;
  for (auto place = places.begin(); place != wanted; ++place) {
    Eigenpair pair{place->value, 0, std::vector<double>(static_cast<size_t>(op.dim()))};
    if (place->block < op.blocks().size()) {
      const KroneckerBlock& block = op.blocks()[place->block];
      if (!vectors.contains(place->block)) vectors.emplace(place->block, block.eigenvectors());
      write_eigenvector(block, vectors.at(place->block), place->index, pair.vector);
    } else {
      pair.vector[static_cast<size_t>(place->index)] = 1;
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace

std::vector<double> closed_form_spectrum(const KroneckerOperator& op) {
  require_closed_form(op);
  std::vector<double> values;
  values.reserve(static_cast<size_t>(op.dim()));
  for (const auto& block : op.blocks()) {
    const at::Tensor lambda = block.eigenvalues();
    values.insert(values.end(), lambda.data_ptr<double>(), lambda.data_ptr<double>() + lambda.numel());
  }
  values.resize(static_cast<size_t>(op.dim()), op.missing_value());
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

std::vector<Eigenpair> leading_in_closed_form(const KroneckerOperator& op, int64_t k) {
  require_closed_form(op);
  std::vector<Place> places;
  for (size_t b = 0; b < op.blocks().size(); ++b) add_places(op, b, places);
  for (const auto& range : op.missing()) {
    for (int64_t e = 0; e < range.count; ++e) {
      places.push_back({op.missing_value(), op.blocks().size(), range.first + e});
    }
  }
  return leading(op, std::move(places), k);
}

std::vector<Eigenpair> leading_of_block(const KroneckerOperator& op, size_t block, int64_t k) {
  std::vector<Place> places;
  add_places(op, block, places);
  return leading(op, std::move(places), k);
}

}  // namespace ritzflow::curvature
