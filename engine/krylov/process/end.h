#pragma once
#include <array>

namespace ritzflow::krylov {

/// One end of the spectrum. The lower end of A is the upper end of -A: what holds at an end is said and done
/// for the upper one, of values as they are seen from it.
enum class End { upper, lower };

inline constexpr std::array kEnds = {End::upper, End::lower};

/// A value x of A as one of the operator whose upper end it is, x or -x; and back.
constexpr double seen_from(End end, double x) { return end == End::upper ? x : -x; }

/// How far [lower, upper] reaches at an end, seen from it.
constexpr double reach_at(End end, double lower, double upper) { return end == End::upper ? upper : -lower; }

}  // namespace ritzflow::krylov
