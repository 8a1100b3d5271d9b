#pragma once
#include <filesystem>

namespace ritzflow::artifact {

/// "<out>.part.<pid>" in the same folder.
std::filesystem::path part_path(const std::filesystem::path& out);

/// Makes the empty part file, so that the system's own reason is known when the folder does not allow it.
/// Throws IoError that names `out`.
void check_writable(const std::filesystem::path& out, const std::filesystem::path& part);

/// fsync of the part file, rename to `out`, fsync of the folder: `out` appears whole and stays through a
/// power cut. Throws IoError that names `out`.
void publish(const std::filesystem::path& part, const std::filesystem::path& out);

void remove_file(const std::filesystem::path& path) noexcept;

}  // namespace ritzflow::artifact
