#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>

namespace ritzflow::app {

/// Throws InputError where putting `--out` in place by rename would destroy what is there: an input of this
/// command line (an option of type FILE), a device, a pipe or a symbolic link.
void require_free_place(const CLI::App& app, const std::filesystem::path& out);

}  // namespace ritzflow::app
