#include "app/number_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace ritzflow::app {
namespace {

bool is_whole(const std::string& text, const char* end) {
  return !text.empty() && end == text.c_str() + text.size();
}

std::string refusal(const std::string& text, const std::string& right) {
  return fmt::format("is {}, expected {}", text.empty() ? "empty" : text, right);
}

template <class IsRight>
CLI::Validator number_check(IsRight is_right, const std::string& right) {
  const auto check = [=](const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    return is_whole(text, end) && std::isfinite(value) && is_right(value) ? "" : refusal(text, right);
  };
  return {check, ""};
}

}  // namespace

CLI::Validator integer_from(int64_t least, int64_t most) {
  const auto check = [=](const std::string& text) -> std::string {
    char* end = nullptr;
    errno = 0;
    const int64_t value = std::strtoll(text.c_str(), &end, 0);
    if (!is_whole(text, end)) return refusal(text, "an integer");
    if (errno == ERANGE || value > most)
      return refusal(text, fmt::format("an integer from {} to {}", least, most));
    return value >= least ? "" : refusal(text, fmt::format("at least {}", least));
  };
  return {check, ""};
}

CLI::Validator number_from(double least) {
  return number_check([=](double value) { return value >= least; },
                      fmt::format("a finite number, at least {:g}", least));
}

CLI::Validator number_between(double low, double high) {
  const std::string right = std::isfinite(high) ? fmt::format("a number above {:g} and below {:g}", low, high)
                                                : fmt::format("a finite number above {:g}", low);
  return number_check([=](double value) { return value > low && value < high; }, right);
}

CLI::Validator number_among(std::span<const double> choices) {
  return number_check([=](double value) { return std::ranges::find(choices, value) != choices.end(); },
                      fmt::format("one of the numbers {}", fmt::join(choices, ", ")));
}

void require_usable_numbers(CLI::App& app) {
  const CLI::Validator finite = number_check([](double) { return true; }, "a finite number");
  const CLI::Validator whole = integer_from(std::numeric_limits<int64_t>::min());
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type.starts_with("FLOAT")) option->check(finite);
    if (type.starts_with("INT")) option->check(whole);
  }
}

}  // namespace ritzflow::app
