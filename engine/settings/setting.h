#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ritzflow {

/// Bytes, said as "4GiB" or "512MiB".
struct MemorySize {
  int64_t bytes = 0;
  bool operator==(const MemorySize&) const = default;
};

/// Whether a setting is an attribute of the artifacts that a run with it gives.
enum class Stored { always, unless_default, never };

/// All that is said of a setting beside its type and default: the one source of its flag with help and check,
/// of its attribute in files and the schema's row, of a run's identity, and of the tables in the documents.
/// A struct of settings S has a function `each_setting(S&, visit)` that calls `visit(value, About)` for each.
struct About {
  std::string_view name;            ///< as a key; the flag is "--" and the same with '-' for '_'
  std::string_view doc;             ///< one sentence; words of an enumeration are listed before it
  std::string_view attribute = {};  ///< its name in files, where that is another
  std::string_view unset = {};      ///< what happens by default, where the value 0 or "" stands for no value
  std::string_view unit = {};       ///< FILE, DIR, SECONDS, ...
  std::string_view group = {};      ///< of `--help`, where it is not that of the struct
  std::span<const std::string_view> only_for = {};          ///< kinds or modes that it is for; empty: all
  std::span<const double> one_of = {};                      ///< the numbers that it may be; empty: all
  double least = -std::numeric_limits<double>::infinity();  ///< lower bound, included
  double above = -std::numeric_limits<double>::infinity();  ///< lower bound, excluded
  double below = std::numeric_limits<double>::infinity();   ///< upper bound, excluded
  bool required = false;                                    ///< must be given as a flag
  bool changes_results = true;                              ///< a run that resumes must have the same
  Stored stored = Stored::always;

  std::string_view attribute_name() const { return attribute.empty() ? name : attribute; }
};

/// "kfac, ekfac: zero | identity: how parameters without factors are treated (default: zero)".
std::string described(const About& about, const std::vector<std::string>& words);

/// "--reorth-window" of reorth_window.
std::string flag_of(std::string_view name);

}  // namespace ritzflow
