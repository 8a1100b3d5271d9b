#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace ritzflow {

/// The values of an enumeration and their words, in the order of messages: a specialization has
/// `static constexpr auto all = word_list<E>({{E::a, "a"}, ...})`.
template <class E>
struct Words;

template <class E, size_t n>
constexpr auto word_list(const std::pair<E, std::string_view> (&list)[n]) {
  return std::to_array(list);
}

template <class E>
concept Worded = requires { Words<E>::all; };

/// The word of a value.
template <Worded E>
std::string word(E value) {
  const auto same = [&](const auto& entry) { return entry.first == value; };
  return std::string(std::ranges::find_if(Words<E>::all, same)->second);
}

/// All words.
template <Worded E>
std::vector<std::string> words() {
  std::vector<std::string> list;
  for (const auto& [value, text] : Words<E>::all) list.emplace_back(text);
  return list;
}

/// "is 'larges', expected one of largest, smallest; did you mean 'largest'?"; empty for one of the choices.
std::string not_one_of(const std::string& text, const std::vector<std::string>& choices);

/// The value of a word. Throws InputError that begins with `where`, such as "--which".
template <Worded E>
E parse_word(const std::string& where, const std::string& text) {
  for (const auto& [value, known] : Words<E>::all)
    if (known == text) return value;
  throw InputError(where + " " + not_one_of(text, words<E>()));
}

}  // namespace ritzflow
