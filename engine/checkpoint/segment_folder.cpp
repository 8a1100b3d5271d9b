#include "checkpoint/segment_folder.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "app/provenance.h"
#include "artifact/digest/file_digest.h"
#include "artifact/json_file.h"
#include "checkpoint/manifest.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::checkpoint {
namespace {

namespace fs = std::filesystem;
constexpr double kLargestShare = 0.02;  // of the wall time that segments may take
constexpr const char* kAttempts = "attempts.jsonl";

// "ritzflow-training" -> "training-00000031.h5"
std::string name_of(const std::string& format, int64_t number) {
  return fmt::format("{}-{:08}.h5", format.substr(format.find('-') + 1), number);
}

std::vector<fs::path> files_with(const fs::path& folder, const std::regex& pattern) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (std::regex_match(entry.path().filename().string(), pattern)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// In the order of their numbers.
std::vector<fs::path> segments(const fs::path& folder, const std::string& format) {
  return files_with(folder, std::regex(format.substr(format.find('-') + 1) + "-[0-9]{8,}\\.h5"));
}

const std::regex kAnySegment("[a-z]+-[0-9]{8,}\\.h5");
const std::regex kRows("rows-[0-9]{8,}\\.bin");
const std::regex kUnfinished(".*\\.(part|rows)\\.[0-9]+");

void remove_all(const std::vector<fs::path>& files) {
  for (const auto& file : files) fs::remove(file);
}

// Upwards from `folder` while nothing is in it: a path from the working folder to its end, of another one
// `folder` alone, whose parents are no business of ours.
void remove_empty(fs::path folder) {
  std::error_code in_use;
  while (!folder.empty() && fs::remove(folder, in_use) && folder.is_relative()) folder = folder.parent_path();
}

void note_attempt(const fs::path& path) {
  std::ofstream file(path, std::ios::app);
  file << nlohmann::json{{"started", app::utc_now()}, {"host", app::host_name()}, {"pid", getpid()}} << '\n'
       << std::flush;
  if (!file) throw IoError(path.string() + ": cannot be written; is the disk full?");
}

}  // namespace

SegmentFolder::SegmentFolder(const fs::path& root, const std::string& stage, const nlohmann::json& identity,
                             Seconds interval)
    : folder_(root / (stage + "-" + sha256_hex(identity.dump()).substr(0, 16))),
      identity_(identity.dump()),
      interval_(interval),
      lock_(std::make_unique<FolderLock>(folder_)),
      newest_(std::chrono::steady_clock::now()) {
  remove_all(files_with(folder_, kUnfinished));
  if (write_manifest(folder_, identity)) note_other_runs(folder_, stage, identity);
  note_attempt(folder_ / kAttempts);
}

void SegmentFolder::read(const std::string& format,
                         const std::function<void(const artifact::ArtifactReader&)>& take) const {
  for (const auto& path : segments(folder_, format)) {
    try {
      const artifact::ArtifactReader file(path, format);
      if (file.attribute<std::string>("identity") != identity_)
        throw InputError(path.string() + ": of another run");
      take(file);
    } catch (const InputError& damage) {
      spdlog::warn("checkpoint segment passed over: {}", damage.what());
    }
  }
}

nlohmann::json SegmentFolder::attempts() const {
  nlohmann::json lines = nlohmann::json::array();
  std::ifstream file(folder_ / kAttempts);
  for (std::string line; std::getline(file, line);) {
    try {
      auto attempt = artifact::parse_json(line, kAttempts);
      if (attempt.is_object()) lines.push_back(std::move(attempt));
    } catch (const InputError&) {
      continue;  // cut off where a process was killed
    }
  }
  return lines;
}

nlohmann::json SegmentFolder::decision() const { return read_decision(folder_); }

void SegmentFolder::decide(const nlohmann::json& decision) {
  write_decision(folder_, decision);
  nlohmann::json identity = artifact::parse_json(identity_, kManifest);
  identity["decision"] = decision;
  identity_ = identity.dump();
}

bool SegmentFolder::due() const { return std::chrono::steady_clock::now() - newest_ >= interval_; }

void SegmentFolder::write(int64_t number, const std::string& format,
                          const std::function<void(artifact::ArtifactWriter&)>& fill) {
  const auto begin = std::chrono::steady_clock::now();
  artifact::ArtifactWriter file(folder_ / name_of(format, number), format);
  file.attribute("identity", identity_);
  fill(file);
  file.commit();
  newest_ = std::chrono::steady_clock::now();
  interval_ = std::max(interval_, Seconds(newest_ - begin) / kLargestShare);
}

void SegmentFolder::remove_below(int64_t number, const std::string& format) const {
  std::vector<fs::path> files = segments(folder_, format);
  std::erase_if(files, [&](const fs::path& file) { return file.filename() >= name_of(format, number); });
  remove_all(files);
}

void SegmentFolder::keep_newest(size_t count, const std::string& format) const {
  std::vector<fs::path> files = segments(folder_, format);
  files.resize(files.size() - std::min(files.size(), count));
  remove_all(files);
}

void SegmentFolder::keep_rows(const std::set<fs::path>& files) const {
  std::vector<fs::path> others = files_with(folder_, kRows);
  std::erase_if(others, [&](const fs::path& file) { return files.contains(file); });
  remove_all(others);
}

void SegmentFolder::retire(const fs::path& artifact) {
  artifact::check_user_block(artifact);
  remove_all_of_it();
}

void SegmentFolder::leave_unused() {
  if (files_with(folder_, kAnySegment).empty()) remove_all_of_it();
}

void SegmentFolder::remove_all_of_it() {
  remove_all(files_with(folder_, kAnySegment));
  keep_rows({});
  remove_all(files_with(folder_, kUnfinished));
  std::error_code ignored;  // folders that hold anything else stay
  for (const char* name : {kAttempts, kDecision, kManifest, "lock"}) fs::remove(folder_ / name, ignored);
  lock_.reset();
  if (fs::remove(folder_, ignored)) remove_empty(folder_.parent_path());
}

fs::path new_rows(const fs::path& folder) {
  const std::vector<fs::path> files = files_with(folder, kRows);
  const int64_t newest = files.empty() ? 0 : std::stoll(files.back().stem().string().substr(5));
  return folder / fmt::format("rows-{:08}.bin", newest + 1);
}

}  // namespace ritzflow::checkpoint
