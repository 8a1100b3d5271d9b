#pragma once
#include <nlohmann/json.hpp>

namespace ritzflow::app {

/// Facts of this run that may differ between two honest runs: command line, program version and commit,
/// compiler, libraries, CPU model, host, threads, start time. They go to /provenance and nowhere else.
nlohmann::json run_facts(int argc, const char* const* argv, int threads);

std::string host_name();

/// Time now in UTC, ISO 8601 with seconds.
std::string utc_now();

}  // namespace ritzflow::app
