#include <algorithm>
#include <map>
#include <utility>

#include "artifact/hdf5/objects.h"
#include "artifact/schema/schema.h"
#include "core/error.h"

namespace ritzflow::artifact {
namespace {

bool is_bracket(const std::string& segment) { return segment.starts_with('<'); }

bool matches(const std::string& bracket, const std::string& name) {
  if (bracket != "<step>") return true;
  return name.size() == 8 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> segments;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

// One object that a field speaks of; symbols below the first bracket are bound within `scope`.
struct Target {
  std::string path;
  std::string scope;
};

// All objects of the file that match a pattern; a last segment without brackets need not exist.
std::vector<Target> expand(hid_t file, const std::string& pattern) {
  std::vector<Target> targets = {{"", ""}};
  for (const auto& segment : split(pattern)) {
    std::vector<Target> next;
    for (const auto& target : targets) {
      if (!is_bracket(segment)) {
        next.push_back({join(target.path, segment), target.scope});
        continue;
      }
      for (const auto& name : group_members(file, target.path)) {
        const std::string path = join(target.path, name);
        if (matches(segment, name)) next.push_back({path, target.scope.empty() ? path : target.scope});
      }
    }
    targets = std::move(next);
  }
  return targets;
}

class Checker {
 public:
  explicit Checker(const FileView& file) : file_(file) {}

  void check(const Field& field) {
    const auto at = field.path.find('@');
    const bool nested = at != std::string::npos;
    const bool attribute = field.kind == FieldKind::attribute;
    if (attribute && !nested) return check_one(field, {"/", ""}, field.path);
    const auto targets = expand(file_.id, field.path.substr(0, at));
    for (const auto& target : targets) check_one(field, target, nested ? field.path.substr(at + 1) : "");
    if (targets.empty() && field.required) problems_.push_back(name(field, field.path) + " is missing");
  }

  std::vector<std::string> problems() && { return std::move(problems_); }

 private:
  static std::string name(const Field& field, const std::string& path) {
    return (field.kind == FieldKind::dataset ? "dataset '" : "attribute '") + path + "'";
  }

  bool exists(const Field& field, const Target& target, const std::string& attribute) const {
    if (field.kind == FieldKind::dataset) return is_dataset(file_.id, target.path);
    return object_exists(file_.id, target.path) &&
           H5Aexists_by_name(file_.id, target.path.c_str(), attribute.c_str(), H5P_DEFAULT) > 0;
  }

  void check_one(const Field& field, const Target& target, const std::string& attribute) {
    const std::string path = attribute.empty() ? target.path : attribute_path(target.path, attribute);
    if (!exists(field, target, attribute)) {
      if (field.required) problems_.push_back(name(field, path) + " is missing");
      return;
    }
    try {
      const Item item = attribute.empty() ? Item(file_, target.path) : Item(file_, target.path, attribute);
      check_type(field, item, path);
      check_shape(field, item, path, target.scope);
    } catch (const InputError& error) {
      problems_.push_back(std::string(error.what()).substr(file_.name.size() + 2));
    }
  }

  // An empty list has no type of its own: numpy makes one of floating point.
  void check_type(const Field& field, const Item& item, const std::string& path) {
    if (item.count() == 0 && field.kind == FieldKind::attribute) return;
    if (!accepts(field.type_class, item.dtype().type_class))
      problems_.push_back(name(field, path) + " holds " + item.dtype().name + ", expected " +
                          to_string(field.type_class));
  }

  void check_shape(const Field& field, const Item& item, const std::string& path, const std::string& scope) {
    std::vector<std::string> expected = field.shape;
    const bool open_end = !expected.empty() && expected.back() == "...";
    if (open_end) expected.pop_back();
    const auto& shape = item.shape();
    const bool single = field.kind == FieldKind::attribute && item.count() == 1 && expected.size() <= 1;
    const bool rank_fits = open_end ? shape.size() >= expected.size() : shape.size() == expected.size();
    if (single) return;
    if (!rank_fits) return report(field, path, shape, "");
    for (std::size_t d = 0; d < expected.size(); ++d)
      if (!bind(expected[d], shape[d], path, scope))
        return report(field, path, shape, origin(expected[d], scope));
  }

  // Gives the symbol its value at its first appearance, later compares with it.
  bool bind(const std::string& symbol, std::int64_t size, const std::string& path, const std::string& scope) {
    if (symbol.find_first_not_of("0123456789") == std::string::npos) return std::to_string(size) == symbol;
    const auto bound = symbols_.try_emplace({scope, symbol}, size, path).first->second;
    return bound.first == size;
  }

  std::string origin(const std::string& symbol, const std::string& scope) const {
    const auto bound = symbols_.find({scope, symbol});
    if (bound == symbols_.end()) return "";
    return " with " + symbol + " = " + std::to_string(bound->second.first) + " from '" +
           bound->second.second + "'";
  }

  void report(const Field& field, const std::string& path, const std::vector<std::int64_t>& shape,
              const std::string& with) {
    std::string expected;
    for (const auto& symbol : field.shape) expected += (expected.empty() ? "" : ", ") + symbol;
    problems_.push_back(name(field, path) + " has shape " + shape_text(shape) + ", expected [" + expected +
                        "]" + with);
  }

  const FileView& file_;
  std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::string>> symbols_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> departures(const Schema& schema, const FileView& file) {
  Checker checker(file);
  for (const auto& field : schema.fields) checker.check(field);
  return std::move(checker).problems();
}

}  // namespace ritzflow::artifact
