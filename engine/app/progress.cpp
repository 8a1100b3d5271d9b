#include "app/progress.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace ritzflow::app {
namespace {

constexpr auto kLineInterval = std::chrono::seconds(30);
constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr int kBarWidth = 30;

std::string clock_text(double seconds) {
  const int64_t s = std::llround(seconds);
  return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Progress::Progress(std::string stage, std::string unit, int64_t total, bool quiet)
    : stage_(std::move(stage)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) == 1),
      quiet_(quiet),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::update(int64_t done, const std::string& note) {
  const auto now = Clock::now();
  if (quiet_ || now - last_ < (terminal_ ? Clock::duration(kBarInterval) : Clock::duration(kLineInterval))) {
    return;
  }
  last_ = now;
  if (terminal_) {
    drawn_ = true;
    draw_bar(done, note);
    return;
  }
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / elapsed;
  const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
  spdlog::info("{} {}/{} {:.3g}/s eta {} {}", unit_, done, total_, rate, clock_text(left), note);
}

void Progress::draw_bar(int64_t done, const std::string& note) const {
  const int filled = total_ > 0 ? static_cast<int>(kBarWidth * done / total_) : 0;
  std::string bar(static_cast<size_t>(filled), '#');
  bar.resize(kBarWidth, '.');
  fmt::print(stderr, "\r\033[K{} [{}] {}/{} {} {}", stage_, bar, done, total_, unit_, note);
  std::fflush(stderr);
}

}  // namespace ritzflow::app
