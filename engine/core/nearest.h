#pragma once
#include <string>
#include <vector>

namespace ritzflow {

/// The candidate with the least Levenshtein distance to `word`; empty if none is within a third of its
/// length.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "; did you mean 'NAME'?" for the nearest candidate, or nothing where none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace ritzflow
