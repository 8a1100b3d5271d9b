#include "checkpoint/resuming.h"

#include "core/error.h"
#include "ritzflow_version.h"

namespace ritzflow::checkpoint {

std::unique_ptr<SegmentFolder> open_segments(const CheckpointSettings& asked, const std::string& stage,
                                             const nlohmann::json& identity) {
  if (asked.checkpoint.empty()) return nullptr;
  nlohmann::json all = identity;
  all["program_version"] = RITZFLOW_VERSION;
  return std::make_unique<SegmentFolder>(asked.checkpoint, stage, all,
                                         SegmentFolder::Seconds(asked.checkpoint_interval));
}

void retire(SegmentFolder* segments, const CheckpointSettings& asked, const std::filesystem::path& artifact) {
  if (segments != nullptr && !asked.keep_checkpoint) segments->retire(artifact);
}

nlohmann::json attempts_of(const SegmentFolder* segments) {
  return segments != nullptr ? segments->attempts() : nlohmann::json();
}

void stop_by_signal(const SegmentFolder* segments, const std::string& done) {
  if (segments == nullptr) {
    throw Error(ExitCode::failure, "stopped by a signal after " + done +
                                       ", and nothing of them is kept; give --checkpoint DIR to resume from "
                                       "there");
  }
  throw Interrupted("stopped by a signal after " + done + "; the same command resumes from " +
                    segments->folder().string());
}

}  // namespace ritzflow::checkpoint
