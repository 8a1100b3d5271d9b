#include "artifact/reader.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "artifact/attributes.h"
#include "artifact/hdf5/objects.h"
#include "artifact/opened.h"
#include "artifact/schema/schema.h"
#include "core/error.h"

namespace ritzflow::artifact {
namespace {

std::string major(const std::string& version) { return version.substr(0, version.find('.')); }

// 2^63; float64 below it in magnitude convert to int64 exactly when whole.
constexpr double kInt64Range = 9223372036854775808.0;

template <class T>
struct Convert;

template <>
struct Convert<std::int64_t> {
  static std::int64_t from(const Item& item, const Attribute& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
    if (const auto* real = std::get_if<double>(&value))
      if (std::trunc(*real) == *real && std::abs(*real) < kInt64Range)
        return static_cast<std::int64_t>(*real);
    item.fail("has shape " + shape_text(item.shape()) + " of " + item.dtype().name +
              ", expected one integer");
  }
};

template <>
struct Convert<double> {
  static double from(const Item& item, const Attribute& value) {
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    item.fail("has shape " + shape_text(item.shape()) + " of " + item.dtype().name + ", expected one number");
  }
};

template <>
struct Convert<bool> {
  static bool from(const Item& item, const Attribute& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* whole = std::get_if<std::int64_t>(&value))
      if (*whole == 0 || *whole == 1) return *whole == 1;
    item.fail("has shape " + shape_text(item.shape()) + " of " + item.dtype().name +
              ", expected one boolean");
  }
};

template <>
struct Convert<std::string> {
  static std::string from(const Item& item, const Attribute& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    item.fail("has shape " + shape_text(item.shape()) + " of " + item.dtype().name + ", expected one text");
  }
};

// Lists, also from one element that was stored as a scalar, and from an empty list of any type.
template <class E>
struct Convert<std::vector<E>> {
  static std::vector<E> from(const Item& item, const Attribute& value) {
    if (item.count() == 0) return {};
    if (const auto* list = std::get_if<std::vector<E>>(&value)) return *list;
    if constexpr (std::same_as<E, double>)
      if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&value))
        return {whole->begin(), whole->end()};
    if (item.count() == 1) return {Convert<E>::from(item, value)};
    item.fail("holds " + item.dtype().name + ", expected a list of " +
              (std::same_as<E, std::string> ? "text"
               : std::same_as<E, double>    ? "numbers"
                                            : "integers"));
  }
};

// Floating point is never cut to integers.
template <Element T>
void require_numbers(const Item& item) {
  const bool whole = std::same_as<T, std::int64_t> || std::same_as<T, std::uint8_t>;
  const TypeClass expected = whole ? TypeClass::integer : TypeClass::number;
  if (!accepts(expected, item.dtype().type_class))
    item.fail("holds " + item.dtype().name + ", expected " + to_string(expected));
}

}  // namespace

ArtifactReader::ArtifactReader(const std::filesystem::path& path, const std::string& expected_format)
    : ArtifactReader(path, expected_format, check_bytes(path)) {}

ArtifactReader::ArtifactReader(std::filesystem::path path, const std::string& expected_format,
                               CheckedBytes checked)
    : path_(std::move(path)),
      file_(open_hdf5(path_)),
      bytes_(std::filesystem::file_size(path_)),
      computed_sha256_(std::move(checked.content_sha256)) {
  check_format(expected_format);
  if (has_attribute("content_sha256")) stored_sha256_ = attribute<std::string>("content_sha256");
  if (checked.block == UserBlock::absent) check_content();
  verified_ = checked.block == UserBlock::verified || !stored_sha256_.empty();
  note_opened(*this);
}

FileView ArtifactReader::view() const { return {file_.get(), path_.string(), bytes_}; }

void ArtifactReader::check_format(const std::string& expected) {
  if (!has_attribute("format"))
    throw InputError(path_.string() + ": attribute 'format' is missing, expected '" + expected + "'");
  format_ = attribute<std::string>("format");
  if (format_ != expected)
    throw InputError(path_.string() + ": is a '" + format_ + "' file, expected '" + expected + "'");
  const Schema& expected_schema = schema(expected);
  if (!has_attribute("format_version"))
    throw InputError(path_.string() + ": attribute 'format_version' is missing, expected '" +
                     expected_schema.version + "'");
  version_ = attribute<std::string>("format_version");
  if (major(version_) != major(expected_schema.version))
    throw InputError(path_.string() + ": has format_version " + version_ + ", this program reads " +
                     major(expected_schema.version) + ".x");
  const auto problems = departures(expected_schema, view());
  if (!problems.empty()) throw InputError(path_.string() + ": " + problems.front());
}

void ArtifactReader::check_content() const {
  if (!stored_sha256_.empty() && stored_sha256_ != computed_sha256_)
    throw InputError(path_.string() + ": its contents have the digest " + computed_sha256_ +
                     ", expected the stored content_sha256 " + stored_sha256_ +
                     ": the file was changed or is damaged");
}

bool ArtifactReader::has(const std::string& path) const { return object_exists(file_.get(), path); }

bool ArtifactReader::has_attribute(const std::string& name) const { return has_attribute("/", name); }

bool ArtifactReader::has_attribute(const std::string& object, const std::string& name) const {
  return has(object) && H5Aexists_by_name(file_.get(), object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

template <AttributeType T>
T ArtifactReader::attribute(const std::string& object, const std::string& name) const {
  const Item item(view(), object, name);
  return Convert<T>::from(item, read_attribute(item));
}

template <class T>
  requires Element<T> || std::same_as<T, std::string>
std::vector<T> ArtifactReader::read(const std::string& path) const {
  const Item item(view(), path);
  if constexpr (std::same_as<T, std::string>) {
    if (item.dtype().type_class != TypeClass::text)
      item.fail("holds " + item.dtype().name + ", expected text");
    return item.read_text();
  } else {
    require_numbers<T>(item);
    std::vector<T> values(static_cast<std::size_t>(item.count()));
    item.read(native_type<T>(), values.data());
    return values;
  }
}

template <Element T>
void ArtifactReader::read_rows(const std::string& path, std::int64_t first, std::int64_t count,
                               std::span<T> out) const {
  const Item item(view(), path);
  require_numbers<T>(item);
  if (item.shape().empty() || first < 0 || count < 0 || first > item.shape()[0] - count)
    item.fail("has shape " + shape_text(item.shape()) + ", expected rows " + std::to_string(first) + " to " +
              std::to_string(first + count));
  auto extent = item.shape();
  extent[0] = count;
  std::int64_t size = 1;
  for (const std::int64_t dim : extent) size *= dim;
  if (size != static_cast<std::int64_t>(out.size()))
    item.fail("has " + std::to_string(size) + " elements in these rows, expected " +
              std::to_string(out.size()));
  std::vector<std::int64_t> start(extent.size(), 0);
  start[0] = first;
  if (size > 0) item.read_block(native_type<T>(), start, extent, out.data());
}

std::optional<std::uint64_t> ArtifactReader::file_offset(const std::string& path) const {
  return Item(view(), path).file_offset();
}

std::vector<std::int64_t> ArtifactReader::shape(const std::string& path) const {
  return Item(view(), path).shape();
}

std::string ArtifactReader::dtype(const std::string& path) const { return Item(view(), path).dtype().name; }

std::vector<std::string> ArtifactReader::children(const std::string& group) const {
  if (!has(group)) throw InputError(path_.string() + ": group '" + group + "' is missing");
  return group_members(file_.get(), group);
}

std::string ArtifactReader::content_sha256() const {
  return stored_sha256_.empty() ? computed_sha256_ : stored_sha256_;
}

std::string ArtifactReader::compute_content_sha256() const { return content_digest(view()); }

template bool ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::int64_t ArtifactReader::attribute(const std::string&, const std::string&) const;
template double ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::string ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::vector<std::string> ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::vector<std::int64_t> ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::vector<double> ArtifactReader::attribute(const std::string&, const std::string&) const;
template std::vector<float> ArtifactReader::read(const std::string&) const;
template std::vector<double> ArtifactReader::read(const std::string&) const;
template std::vector<std::int64_t> ArtifactReader::read(const std::string&) const;
template std::vector<std::uint8_t> ArtifactReader::read(const std::string&) const;
template std::vector<std::string> ArtifactReader::read(const std::string&) const;
template void ArtifactReader::read_rows(const std::string&, std::int64_t, std::int64_t,
                                        std::span<float>) const;
template void ArtifactReader::read_rows(const std::string&, std::int64_t, std::int64_t,
                                        std::span<double>) const;
template void ArtifactReader::read_rows(const std::string&, std::int64_t, std::int64_t,
                                        std::span<std::int64_t>) const;
template void ArtifactReader::read_rows(const std::string&, std::int64_t, std::int64_t,
                                        std::span<std::uint8_t>) const;

}  // namespace ritzflow::artifact
