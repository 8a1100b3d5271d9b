#include "artifact/text_file.h"

#include <fstream>

#include "artifact/publish.h"
#include "core/error.h"

namespace ritzflow {

void write_text(const std::filesystem::path& out, const std::string& text) {
  const auto part = part_path(out);
  check_writable(out, part);
  {
    std::ofstream file(part, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
      remove_file(part);
      throw IoError(out.string() + ": cannot write; is the disk full?");
    }
  }
  publish(part, out);
}

}  // namespace ritzflow
