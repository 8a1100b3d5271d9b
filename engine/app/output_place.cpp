#include "app/output_place.h"

#include "core/error.h"

namespace ritzflow::app {
namespace {

namespace fs = std::filesystem;

// The file of `FILE`, or of `FILE:/DATASET`.
fs::path file_of(const std::string& type, const std::string& text) {
  return type.starts_with("FILE:/") ? text.substr(0, text.rfind(":/")) : text;
}

// A folder is left to check_writable(), which has a message of its own for it.
bool can_be_replaced(const fs::path& out) {
  std::error_code unknown;
  const fs::file_type type = fs::symlink_status(out, unknown).type();
  return type == fs::file_type::regular || type == fs::file_type::directory ||
         type == fs::file_type::not_found || type == fs::file_type::none;
}

void require_no_input(const CLI::Option& option, const fs::path& out) {
  const std::string type = option.get_type_name();
  if (!type.starts_with("FILE")) return;
  std::error_code missing;
  for (const std::string& text : option.results()) {
    if (fs::equivalent(file_of(type, text), out, missing))
      throw InputError("--out " + out.string() + ": is the same file as " + option.get_name() + " " + text +
                       ", expected another file");
  }
}

}  // namespace

void require_free_place(const CLI::App& app, const fs::path& out) {
  if (out.empty()) throw InputError("--out is empty, expected a file name");
  if (!can_be_replaced(out))
    throw InputError("--out " + out.string() +
                     ": is a device, a pipe or a symbolic link, expected a regular file or a new name");
  for (const CLI::Option* option : app.get_options()) require_no_input(*option, out);
}

}  // namespace ritzflow::app
