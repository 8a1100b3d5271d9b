#pragma once
#include <stdexcept>
#include <string>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "settings/values.h"

namespace ritzflow::artifact {

/// An attribute for each setting that is stored.
template <class S>
void write_settings(ArtifactWriter& file, const S& settings) {
  const nlohmann::json defaults = values_of(S{});
  each_value(settings, [&]<class T>(const T& value, const About& about) {
    const bool is_default = setting_json(value) == defaults.at(std::string(about.name));
    if (about.stored == Stored::never || (about.stored == Stored::unless_default && is_default)) return;
    const std::string name(about.attribute_name());
    if constexpr (Worded<T>)
      file.attribute(name, word(value));
    else if constexpr (AttributeType<T>)
      file.attribute(name, value);
    else
      throw std::logic_error("setting " + name + ": no attribute has its type");
  });
}

/// The value of an attribute that holds a word of E. Throws InputError on another word.
template <Worded E>
E word_attribute(const ArtifactReader& file, const std::string& name) {
  return parse_word<E>(file.path().string() + ": attribute '" + name + "'",
                       file.attribute<std::string>(name));
}

/// The settings back. Throws InputError where one is missing that is always stored, or holds no word of its
/// enumeration.
template <class S>
S read_settings(const ArtifactReader& file, S settings = {}) {
  each_setting(settings, [&]<class T>(T& value, const About& about) {
    const std::string name(about.attribute_name());
    if (about.stored == Stored::never) return;
    if (about.stored == Stored::unless_default && !file.has_attribute(name)) return;
    if constexpr (Worded<T>)
      value = word_attribute<T>(file, name);
    else if constexpr (AttributeType<T>)
      value = file.attribute<T>(name);
    else
      throw std::logic_error("setting " + name + ": no attribute has its type");
  });
  return settings;
}

}  // namespace ritzflow::artifact
