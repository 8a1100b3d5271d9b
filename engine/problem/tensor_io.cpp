#include "problem/tensor_io.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "artifact/hdf5/item.h"
#include "core/error.h"

namespace ritzflow::problem {
namespace {

template <class T>
at::Tensor read_as(const artifact::ArtifactReader& file, const std::string& path,
                   const std::vector<int64_t>& shape) {
  at::Tensor values = at::empty(shape, at::CPU(c10::CppTypeToScalarType<T>::value));
  const std::span<T> out(values.data_ptr<T>(), static_cast<size_t>(values.numel()));
  file.read_rows<T>(path, 0, shape.front(), out);
  return values;
}

template <class T>
void write_as(artifact::ArtifactWriter& file, const std::string& path, const at::Tensor& values) {
  const std::span<const T> all(values.const_data_ptr<T>(), static_cast<size_t>(values.numel()));
  file.dataset(path, all, values.sizes().vec());
}

}  // namespace

void write_tensor(artifact::ArtifactWriter& file, const std::string& path, const at::Tensor& tensor) {
  const at::Tensor values = tensor.cpu().contiguous();
  values.scalar_type() == at::kFloat ? write_as<float>(file, path, values)
                                     : write_as<double>(file, path, values);
}

at::Tensor read_tensor(const artifact::ArtifactReader& file, const std::string& path) {
  const auto shape = file.shape(path);
  const std::string type = file.dtype(path);
  for (const int64_t extent : shape) {
    if (extent == 0) {
      throw InputError(fmt::format("{}: dataset '{}' is empty (shape {})", file.path().string(), path,
                                   artifact::shape_text(shape)));
    }
  }
  if (shape.empty()) {
    throw InputError(
        fmt::format("{}: dataset '{}' is a scalar, expected an array", file.path().string(), path));
  }
  if (type == "float32") return read_as<float>(file, path, shape);
  if (type == "float64") return read_as<double>(file, path, shape);
  if (type.starts_with("int") || type.starts_with("uint")) return read_as<int64_t>(file, path, shape);
  if (type == "bool") return read_as<int64_t>(file, path, shape).to(at::kBool);
  throw InputError(fmt::format("{}: dataset '{}' has type {}, expected float32, float64 or an integer type",
                               file.path().string(), path, type));
}

void require_finite(const at::Tensor& values, const artifact::ArtifactReader& file, const std::string& path) {
  if (at::isfinite(values).all().item<bool>()) return;
  const at::Tensor flat = values.reshape({-1});
  const auto first = at::nonzero(at::isfinite(flat).logical_not())[0].item<int64_t>();
  throw InputError(fmt::format("{}: dataset '{}' is {} at {}, expected finite numbers", file.path().string(),
                               path, flat[first].item<double>(),
                               artifact::index_text(first, values.sizes().vec())));
}

}  // namespace ritzflow::problem
