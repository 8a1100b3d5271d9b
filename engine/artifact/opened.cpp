#include "artifact/opened.h"

#include <mutex>

#include "artifact/reader.h"

namespace ritzflow::artifact {
namespace {

struct Opened {
  std::mutex mutex;
  std::map<std::string, std::string> digests;
};

Opened& opened() {
  static Opened all;
  return all;
}

}  // namespace

void note_opened(const ArtifactReader& file) {
  if (file.has_attribute("identity")) return;  // a segment
  const std::lock_guard lock(opened().mutex);
  opened().digests[file.path().string()] = file.content_sha256();
}

std::map<std::string, std::string> opened_artifacts() {
  const std::lock_guard lock(opened().mutex);
  return opened().digests;
}

}  // namespace ritzflow::artifact
