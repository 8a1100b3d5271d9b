#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <span>

namespace ritzflow::app {

/// Checks of numeric flags whose messages say what would be right: "is 0, expected at least 1".

/// A whole number, `least` to `most`.
CLI::Validator integer_from(int64_t least, int64_t most = std::numeric_limits<int64_t>::max());

/// A finite number that is at least `least`.
CLI::Validator number_from(double least);

/// A finite number inside the open interval (low, high).
CLI::Validator number_between(double low, double high = std::numeric_limits<double>::infinity());

/// One of the numbers.
CLI::Validator number_among(std::span<const double> choices);

/// Every numeric flag of `app` takes finite numbers alone, or whole ones of its type, whatever else is asked
/// of it: NaN passes comparisons that are meant to refuse it, and CLI11 cuts large integers to 64 bits.
void require_usable_numbers(CLI::App& app);

}  // namespace ritzflow::app
