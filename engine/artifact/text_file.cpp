#include "artifact/text_file.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "artifact/publish.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::artifact {

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

void write_sealed_json(const std::filesystem::path& out, const nlohmann::ordered_json& record) {
  const std::string text = record.dump(2) + "\n";
  nlohmann::ordered_json sealed = record;
  sealed["content_sha256"] = sha256_hex(text);
  write_text(out, sealed.dump(2) + "\n");
}

}  // namespace ritzflow::artifact
