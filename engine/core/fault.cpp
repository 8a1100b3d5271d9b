#include "core/fault.h"

#include <cxxabi.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <typeinfo>

#include "core/resident_memory.h"

namespace ritzflow {
namespace {

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string type_name(const std::exception& error) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : "";
}

Fault out_of_memory() {
  return {
      ExitCode::refused,
      fmt::format("out of memory: the files and flags of this command need more than the {} MiB that were "
                  "held when no more was to be had; expected a smaller model, data set, micro-batch or "
                  "basis, or more memory",
                  peak_memory() >> 20)};
}

Fault of_file_system(const std::filesystem::filesystem_error& error) {
  const std::string& path = error.path1().string();
  return {ExitCode::failure, (path.empty() ? "" : path + ": ") + error.code().message()};
}

// Its text is a message, and below it where in LibTorch it was thrown.
Fault of_libtorch(const std::string& text) {
  for (const char* words : {"not enough memory", "out of memory", "can't allocate memory"}) {
    if (text.find(words) != std::string::npos) return out_of_memory();
  }
  return {ExitCode::failure, "LibTorch cannot do what this command asks of it: " + first_line(text)};
}

}  // namespace

Fault described(const std::exception& error) {
  const std::string text = error.what();
  if (const auto* own = dynamic_cast<const Error*>(&error)) return {own->code(), one_line(text)};
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return out_of_memory();
  if (dynamic_cast<const std::length_error*>(&error) != nullptr) return out_of_memory();
  if (const auto* files = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return of_file_system(*files);
  const std::string type = type_name(error);
  if (type.starts_with("c10::")) return of_libtorch(text);
  return {ExitCode::failure,
          fmt::format("a fault of this program, not of its input: {} ({}); report it with the "
                      "command line and the output of --version",
                      first_line(text), type)};
}

}  // namespace ritzflow
