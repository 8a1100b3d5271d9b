#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "checkpoint/lock.h"

namespace ritzflow::checkpoint {

/// Work in flight as a folder of immutable segments, each written beside its name, fsynced and renamed, each
/// with its own digest: kill -9 at any moment costs at most the work since the newest segment.
///
/// Segments of one identity lie in `root/<stage>-<digest of the identity>/<kind>-<number>.h5` (of a format
/// ritzflow-<kind>), beside `manifest.json` (the identity in words), `decision.json` (what was left
/// open by it and decided at the first start), `attempts.jsonl` (one line per process), `lock`, and for a
/// basis on disk `rows-<number>.bin`, whose rows segments name by their digests. A run of another identity
/// starts over in a separate folder, says what differs, and touches nothing that it did not make.
class SegmentFolder {
 public:
  using Seconds = std::chrono::duration<double>;

  /// Locks the folder (FolderLock has the errors) and clears what killed processes left half-written.
  /// `identity` holds all that a continuation must share: settings, seed, digests of the inputs, algorithm.
  /// `interval` is the least time between two segments for due(); it grows where writing one takes more than
  /// 2 % of it.
  SegmentFolder(const std::filesystem::path& root, const std::string& stage, const nlohmann::json& identity,
                Seconds interval);

  /// Shows `take` each segment of this format and identity, in the order of their numbers. One that is
  /// damaged, or that `take` refuses with an InputError, is named in a warning and passed over.
  void read(const std::string& format,
            const std::function<void(const artifact::ArtifactReader&)>& take) const;

  /// The processes that worked on this, the present one included: start, host and pid, for /provenance.
  nlohmann::json attempts() const;

  /// What an earlier process of this identity decided, or null: none did, or what it left is damaged, which
  /// is said in a warning.
  nlohmann::json decision() const;

  /// Keeps a decision that depends on the state of the machine, such as free memory, for the processes to
  /// come. From here on segments are those of this decision: others belong to another run.
  void decide(const nlohmann::json& decision);

  /// Whether the interval since the newest segment, or since the start, has passed.
  bool due() const;

  /// Writes the segment of this number now; `fill` adds everything but the identity. Throws IoError; the
  /// segments before it stay.
  void write(int64_t number, const std::string& format,
             const std::function<void(artifact::ArtifactWriter&)>& fill);

  /// Removes the segments of a format that are numbered below `number`.
  void remove_below(int64_t number, const std::string& format) const;

  /// Removes all segments of a format but the newest `count`.
  void keep_newest(size_t count, const std::string& format) const;

  /// Removes all files of rows but these.
  void keep_rows(const std::set<std::filesystem::path>& files) const;

  /// Checks the digest of the finished artifact, then removes what runs of this identity left here, and the
  /// folders if they are empty then: `root`, and where it is relative those on the way to it.
  void retire(const std::filesystem::path& artifact);

  /// Removes the folder as retire() does where it holds no segment: for a run that could not begin.
  void leave_unused();

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void remove_all_of_it();

  std::filesystem::path folder_;
  std::string identity_;
  Seconds interval_;
  std::unique_ptr<FolderLock> lock_;
  std::chrono::steady_clock::time_point newest_;
};

/// The name of a file of rows that does not exist yet in the folder.
std::filesystem::path new_rows(const std::filesystem::path& folder);

}  // namespace ritzflow::checkpoint
