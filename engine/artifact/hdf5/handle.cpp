#include "artifact/hdf5/handle.h"

namespace ritzflow::artifact {
namespace {

// The file driver hides the system's reason inside a longer text: "..., error message = 'No space left on
// device', ...".
std::string system_message(const std::string& description) {
  static const std::string mark = "error message = '";
  const auto begin = description.find(mark);
  if (begin == std::string::npos) return {};
  const auto end = description.find('\'', begin + mark.size());
  return description.substr(begin + mark.size(), end - begin - mark.size());
}

struct Reason {
  std::string innermost;
  std::string system;
};

herr_t collect(unsigned, const H5E_error2_t* error, void* data) {
  auto& reason = *static_cast<Reason*>(data);
  const std::string description = error->desc != nullptr ? error->desc : "";
  if (reason.innermost.empty()) reason.innermost = description;
  if (reason.system.empty()) reason.system = system_message(description);
  return 0;
}

}  // namespace

bool Handle::reset() {
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  return id < 0 || close_(id) >= 0;
}

void prepare_hdf5() {
  static const herr_t no_cleanup = H5dont_atexit();  // counts only before the first other call
  static_cast<void>(no_cleanup);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string hdf5_reason() {
  Reason reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect, &reason);
  H5Eclear2(H5E_DEFAULT);
  if (!reason.system.empty()) return reason.system;
  return reason.innermost.empty() ? "unknown HDF5 error" : reason.innermost;
}

}  // namespace ritzflow::artifact
