#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "checkpoint/segment_folder.h"
#include "settings/stage_settings.h"

namespace ritzflow::checkpoint {

/// The folder of this identity, or null where no --checkpoint was given.
std::unique_ptr<SegmentFolder> open_segments(const CheckpointSettings& asked, const std::string& stage,
                                             const nlohmann::json& identity);

/// The artifact is in place: what it was made from goes, unless --keep-checkpoint asked for it.
void retire(SegmentFolder* segments, const CheckpointSettings& asked, const std::filesystem::path& artifact);

/// The attempts of a run that checkpoints, for StageRun::provenance(); null where `segments` is.
nlohmann::json attempts_of(const SegmentFolder* segments);

/// Ends a stage that a signal stopped after `done` ("31 products"): Interrupted (exit 75) where `segments`
/// hold that state, else an Error (exit 1) that says what would have kept it.
[[noreturn]] void stop_by_signal(const SegmentFolder* segments, const std::string& done);

}  // namespace ritzflow::checkpoint
