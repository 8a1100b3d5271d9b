#pragma once
#include <stdexcept>
#include <string>

namespace ritzflow {

/// Exit statuses of every stage binary (docs/formats.md, "Commands").
enum class ExitCode : int { done = 0, failure = 1, bad_input = 2, refused = 3, interrupted = 75 };

/// An error that ends a stage with a clear line on stderr: what was wrong, where, and what would be right.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The user's flag, file or data is wrong (exit 2).
struct InputError : Error {
  explicit InputError(const std::string& message) : Error(ExitCode::bad_input, message) {}
};

/// The input is well formed, but the program declines: memory plan, non-deterministic operator (exit 3).
struct Refusal : Error {
  explicit Refusal(const std::string& message) : Error(ExitCode::refused, message) {}
};

/// The operating system failed a read or a write: disk full, no permission (exit 1).
struct IoError : Error {
  explicit IoError(const std::string& message) : Error(ExitCode::failure, message) {}
};

/// A signal asked for a stop and the work was left in a state that can be continued (exit 75).
struct Interrupted : Error {
  explicit Interrupted(const std::string& message) : Error(ExitCode::interrupted, message) {}
};

}  // namespace ritzflow
