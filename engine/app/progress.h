#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace ritzflow::app {

/// Shows how far a long loop is: a bar on stderr if that is a terminal, else one plain line about every 30 s.
class Progress {
 public:
  Progress(std::string stage, std::string unit, int64_t total, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` steps of the total are finished; `note` is a short state such as "residual 1e-5".
  void update(int64_t done, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  void draw_bar(int64_t done, const std::string& note) const;

  std::string stage_, unit_;
  int64_t total_;
  bool terminal_, quiet_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace ritzflow::app
