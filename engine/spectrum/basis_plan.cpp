#include "spectrum/basis_plan.h"

#include <unistd.h>

#include <fstream>

#include "checkpoint/segment_folder.h"

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;

// Share of the available memory that Lanczos vectors may take; the rest is for products.
constexpr double kBasisShare = 0.8;

template <class T>
void write_rows_as(artifact::RowWriter<T> rows, const krylov::Basis& basis, int64_t first) {
  std::vector<double> q(static_cast<size_t>(basis.dim()));
  std::vector<T> row;
  for (int64_t i = first; i < basis.size(); ++i) {
    basis.copy_row(i, q);
    row.assign(q.begin(), q.end());
    rows.append(row);
  }
}

}  // namespace

int64_t vector_memory(MemorySize asked) {
  if (asked.bytes > 0) return asked.bytes;
  std::ifstream info("/proc/meminfo");
  std::string key, unit;
  for (int64_t kib = 0; info >> key >> kib >> unit;) {
    if (key == "MemAvailable:") return static_cast<int64_t>(kBasisShare * 1024 * static_cast<double>(kib));
  }
  return INT64_MAX;
}

std::unique_ptr<krylov::Basis> BasisPlan::make(int64_t n, int64_t first) const {
  if (new_file) return krylov::make_disk_basis(n, type, new_file);
  krylov::BasisSize numbered = size;
  numbered.first = first;
  return krylov::make_ram_basis(n, numbered, type);
}

RowFiles row_files(const checkpoint::SegmentFolder* segments, const fs::path& out) {
  if (segments != nullptr)
    return [folder = segments->folder()] { return krylov::RowFile::create(checkpoint::new_rows(folder)); };
  return scratch_row_files(nullptr, out);
}

RowFiles scratch_row_files(const checkpoint::SegmentFolder* segments, const fs::path& out) {
  const fs::path beside = segments != nullptr ? segments->folder() / "scratch" : out;
  const fs::path scratch = beside.string() + ".rows." + std::to_string(getpid());
  return [scratch] { return krylov::RowFile::create_unnamed(scratch); };
}

int64_t free_disk(const fs::path& path) {
  fs::path folder = fs::absolute(path);
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  return unknown ? INT64_MAX : static_cast<int64_t>(space.available);
}

void write_rows(artifact::ArtifactWriter& file, const std::string& dataset, const krylov::Basis& basis,
                BasisType type, int64_t first, bool contiguous) {
  const int64_t count = basis.size() - first, n = basis.dim();
  const auto write = [&]<class T>(T) {
    write_rows_as(contiguous ? file.contiguous_rows<T>(dataset, count, n) : file.rows<T>(dataset, count, n),
                  basis, first);
  };
  type == BasisType::float32 ? write(float{}) : write(double{});
}

void append_rows(const artifact::ArtifactReader& file, const std::string& dataset, krylov::Basis& basis) {
  std::vector<double> row(static_cast<size_t>(basis.dim()));
  for (int64_t i = 0; i < file.shape(dataset)[0]; ++i) {
    file.read_rows<double>(dataset, i, 1, row);
    basis.append(row);
  }
}

}  // namespace ritzflow::spectrum
