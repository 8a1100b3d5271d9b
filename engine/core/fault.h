#pragma once
#include <exception>
#include <new>
#include <string>

#include "core/error.h"

namespace ritzflow {

/// What an exception says to a user.
struct Fault {
  ExitCode code;
  std::string text;  ///< one line
};

/// Of an Error its own words. What the libraries throw says nothing to a user ("vector::_M_range_check", a
/// stack trace of LibTorch): it becomes a line that says what failed.
Fault described(const std::exception& error);

/// The line of what `work` ends with; empty where it succeeds. Lack of memory is passed on.
template <class Work>
std::string failure(const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return described(error).text;
  }
  return "";
}

}  // namespace ritzflow
