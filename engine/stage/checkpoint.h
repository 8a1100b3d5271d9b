#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "krylov/factorization.h"
#include "stage/lock.h"

namespace ritzflow {

/// A Lanczos run in flight as a folder of immutable segments, each written beside its name, fsynced and
/// renamed, each with its own digest: kill -9 at any moment costs at most the products since the last
/// segment.
///
/// Segments of one identity (settings, seed, operator digest, algorithm) lie in `root/<digest of the
/// identity>`; a run with other settings starts anew in a folder beside it and touches nothing that it did
/// not make.
class LanczosCheckpoint {
 public:
  struct State {
    KrylovFactorization factorization;
    std::unique_ptr<Basis> basis;
  };

  /// Locks the folder. `capacity` is the number of rows that the run holds (0: all, which never change once
  /// written: a segment adds the new ones. Else a segment is a snapshot of what is held.); `interval` is the
  /// least time between two segments; it grows where writing one takes more than 2 % of it.
  LanczosCheckpoint(const std::filesystem::path& root, const nlohmann::json& identity, int64_t capacity,
                    std::chrono::duration<double> interval);

  /// The newest state that all its segments vouch for, or nothing. Damaged segments are named in a warning
  /// and passed over.
  std::optional<State> load(int64_t n);

  /// Writes a segment if the interval has passed.
  void offer(const LanczosProcess& process);

  /// Writes a segment now, unless the newest one is as far.
  void save(const LanczosProcess& process);

  /// Removes the segments, and the folders if they are empty then: the artifact is in place.
  void remove();

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string identity_;
  int64_t capacity_;
  std::chrono::duration<double> interval_;
  std::unique_ptr<FolderLock> lock_;
  std::chrono::steady_clock::time_point last_save_;
  int64_t saved_ = 0;  ///< products in the newest segment
};

}  // namespace ritzflow
