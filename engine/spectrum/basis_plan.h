#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "krylov/basis/disk_basis.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::checkpoint {
class SegmentFolder;
}

namespace ritzflow::spectrum {

/// Makes a file of rows each time it is called.
using RowFiles = std::function<std::unique_ptr<krylov::RowFile>()>;

/// Bytes that Lanczos vectors may take in memory: those asked for, else most of what the system says is
/// available.
int64_t vector_memory(MemorySize asked);

/// How the Lanczos vectors of a run are held. Host memory and disk give the same bits, so that the place is
/// not part of a run's identity.
struct BasisPlan {
  krylov::BasisSize size;
  BasisType type = BasisType::float64;
  RowFiles new_file = {};  ///< where the rows lie on disk, else empty

  /// An empty basis whose first row will have the number `first`.
  std::unique_ptr<krylov::Basis> make(int64_t n, int64_t first = 0) const;
};

/// Gives files of rows: in the folder of a checkpoint, of which they are a part, or else files beside `out`
/// that are gone with the process.
RowFiles row_files(const checkpoint::SegmentFolder* segments, const std::filesystem::path& out);

/// Gives files of rows that are gone with the process, in the same place.
RowFiles scratch_row_files(const checkpoint::SegmentFolder* segments, const std::filesystem::path& out);

/// Bytes that are free on the disk of `path`, which need not exist yet.
int64_t free_disk(const std::filesystem::path& path);

/// The rows of `basis` from number `first` on as a dataset of their type, one chunk per row or in one piece.
void write_rows(artifact::ArtifactWriter& file, const std::string& dataset, const krylov::Basis& basis,
                BasisType type, int64_t first, bool contiguous);

/// Appends the rows of a dataset.
void append_rows(const artifact::ArtifactReader& file, const std::string& dataset, krylov::Basis& basis);

}  // namespace ritzflow::spectrum
