#include "checkpoint/checkpoint_flags.h"

#include "app/number_checks.h"
#include "core/error.h"
#include "ritzflow_version.h"

namespace ritzflow {

void declare_checkpoint_flags(CLI::App& app, CheckpointFlags& flags) {
  app.option_defaults()->group("Checkpoints");
  app.add_option("--checkpoint", flags.root,
                 "directory of immutable segments; the same command resumes from them");
  app.add_option("--checkpoint-interval", flags.interval, "minimum SECONDS between segments")
      ->check(number_from(0))
      ->capture_default_str();
  app.add_flag("--keep-checkpoint", flags.keep, "leave the segments in place at the end");
}

std::unique_ptr<SegmentFolder> open_segments(const CheckpointFlags& flags, const std::string& stage,
                                             const nlohmann::json& identity) {
  if (flags.root.empty()) return nullptr;
  nlohmann::json all = identity;
  all["program_version"] = RITZFLOW_VERSION;
  return std::make_unique<SegmentFolder>(flags.root, stage, all, SegmentFolder::Seconds(flags.interval));
}

void retire(SegmentFolder* segments, const CheckpointFlags& flags, const std::filesystem::path& artifact) {
  if (segments != nullptr && !flags.keep) segments->retire(artifact);
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

}  // namespace ritzflow
