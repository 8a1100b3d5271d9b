#include "artifact/digest/file_digest.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::artifact {
namespace {

using namespace std::string_view_literals;
constexpr std::string_view kMagic = "ritzflow-sha256 1\n"sv;
constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n"sv;

std::string block_text(const std::string& digest) {
  std::string block = std::string(kMagic) + digest + "\n";
  block.resize(kUserBlockSize, '\0');
  return block;
}

// The first 1024 bytes, or fewer.
std::string read_head(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) throw InputError(path.string() + ": no such file");
  if (std::filesystem::is_directory(path))
    throw InputError(path.string() + ": is a folder, expected an HDF5 file");
  // Opening a pipe waits for a writer, and a device may never end.
  if (!std::filesystem::is_regular_file(path))
    throw InputError(path.string() + ": is a pipe, a device or a socket, expected an HDF5 file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path.string() + ": cannot be opened: " + std::strerror(errno));
  std::string head(2 * kUserBlockSize, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

bool is_blank(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char byte) { return byte == '\0'; });
}

}  // namespace

void write_user_block(const std::filesystem::path& path) {
  const std::string block = block_text(sha256_file(path, kUserBlockSize));
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  if (!file.write(block.data(), static_cast<std::streamsize>(block.size())).flush())
    throw IoError(path.string() + ": cannot be written: " + std::strerror(errno));
}

UserBlock check_user_block(const std::filesystem::path& path) {
  const std::string head = read_head(path);
  if (head.starts_with(kHdf5Signature)) return UserBlock::absent;
  const bool shifted =
      std::string_view(head).substr(std::min(head.size(), kUserBlockSize)).starts_with(kHdf5Signature);
  const std::string_view block = std::string_view(head).substr(0, kUserBlockSize);
  if (shifted && is_blank(block)) return UserBlock::absent;
  if (!shifted && !head.starts_with(kMagic))
    throw InputError(path.string() + ": is not an HDF5 file, or its beginning is damaged");
  if (block != block_text(sha256_file(path, kUserBlockSize)))
    throw InputError(
        path.string() +
        ": the bytes do not match the SHA-256 in the user block: the file is damaged, incomplete or was "
        "edited; make it again, or copy its contents into a new file with h5py");
  return UserBlock::verified;
}

Handle open_hdf5(const std::filesystem::path& path) {
  prepare_hdf5();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(access.get(), true, true);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file) throw InputError(path.string() + ": is damaged or not an HDF5 file: " + hdf5_reason());
  return file;
}

}  // namespace ritzflow::artifact
