// libFuzzer target of one format (fuzzed_format): the input decides which datasets and attributes of
// the schema a file has, of which types, shapes and values. The file is a sound HDF5 file with a right
// digest, so that all behind the digest is reached: schema, finite values, identities, every typed read.
#include <fuzzer/FuzzedDataProvider.h>
#include <hdf5.h>
#include <unistd.h>

#include <filesystem>

#include "artifact/digest/content_digest.h"
#include "artifact/digest/file_digest.h"
#include "artifact/hdf5/types.h"
#include "artifact/schema/schema.h"
#include "artifact/validate.h"
#include "core/error.h"

extern const char* const fuzzed_format;

namespace {

using namespace ritzflow;
using namespace ritzflow::artifact;

const std::filesystem::path kFile =
    std::filesystem::temp_directory_path() / ("ritzflow-fuzz-" + std::to_string(getpid()) + ".h5");

std::string example_path(std::string path, FuzzedDataProvider& input) {
  for (auto open = path.find('<'); open != std::string::npos; open = path.find('<')) {
    const auto close = path.find('>', open);
    const bool step =
        path.substr(open, close + 1 - open) == "<step>" && input.ConsumeProbability<float>() < 0.8F;
    path.replace(open, close + 1 - open, step ? "00000001" : "x");
  }
  return path;
}

// Behind the end of the input all probabilities are 0: what it does not decide is as the schema has it.
bool seldom(FuzzedDataProvider& input) { return input.ConsumeProbability<float>() > 0.9F; }

Handle some_type(const Field& field, FuzzedDataProvider& input) {
  const hid_t numbers[] = {H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_STD_I64LE, H5T_STD_U8LE, H5T_STD_I16BE};
  if (seldom(input)) return Handle(H5Tcopy(input.PickValueInArray(numbers)), H5Tclose);
  switch (field.type_class) {
    case TypeClass::text:
      return text_type();
    case TypeClass::boolean:
      return bool_type();
    case TypeClass::integer:
      return Handle(H5Tcopy(H5T_STD_I64LE), H5Tclose);
    default:
      return Handle(H5Tcopy(H5T_IEEE_F64LE), H5Tclose);
  }
}

std::vector<hsize_t> some_shape(const Field& field, FuzzedDataProvider& input) {
  std::vector<hsize_t> shape;
  for (const auto& size : field.shape)
    if (size != "...") shape.push_back(std::isdigit(size.front()) != 0 ? std::stoul(size) : 2);
  if (seldom(input)) shape.push_back(input.ConsumeIntegralInRange<hsize_t>(0, 3));
  for (auto& size : shape)
    if (seldom(input)) size = input.ConsumeIntegralInRange<hsize_t>(0, 4);
  return shape;
}

// Values as bytes, or one word for all elements of text.
template <class Write>
void fill(hid_t type, std::size_t count, FuzzedDataProvider& input, const Write& write) {
  if (H5Tget_class(type) == H5T_STRING) {
    const std::string word = input.ConsumeRandomLengthString(12);
    const std::vector<const char*> words(count, word.c_str());
    write(words.data());
  } else {
    auto bytes = input.ConsumeBytes<std::uint8_t>(count * H5Tget_size(type));
    bytes.resize(count * H5Tget_size(type) + 1);
    write(bytes.data());
  }
}

void write_field(hid_t file, const Field& field, FuzzedDataProvider& input) {
  const std::string path = example_path(field.path, input);
  const Handle type = some_type(field, input);
  const auto shape = some_shape(field, input);
  std::size_t count = 1;
  for (const auto size : shape) count *= size;
  const Handle space(shape.empty() ? H5Screate(H5S_SCALAR)
                                   : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  if (field.kind == FieldKind::dataset) {
    const Handle id(
        H5Dcreate2(file, path.c_str(), type.get(), space.get(), links.get(), H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose);
    if (id && count > 0)
      fill(type.get(), count, input,
           [&](const void* data) { H5Dwrite(id.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data); });
    return;
  }
  const auto at = path.find('@');
  const std::string object = at == std::string::npos ? "/" : path.substr(0, at);
  const std::string name = at == std::string::npos ? path : path.substr(at + 1);
  const Handle id(H5Acreate_by_name(file, object.c_str(), name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                                    H5P_DEFAULT, H5P_DEFAULT),
                  H5Aclose);
  if (id && count > 0)
    fill(type.get(), count, input, [&](const void* data) { H5Awrite(id.get(), type.get(), data); });
}

void write_text(hid_t file, const char* name, const std::string& value) {
  const Handle type = text_type();
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle id(H5Acreate2(file, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const char* text = value.c_str();
  H5Awrite(id.get(), type.get(), &text);
}

void write_file(const Schema& schema, FuzzedDataProvider& input) {
  const Handle create(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_userblock(create.get(), kUserBlockSize);
  const Handle file(H5Fcreate(kFile.c_str(), H5F_ACC_TRUNC, create.get(), H5P_DEFAULT), H5Fclose);
  write_text(file.get(), "format", schema.format);
  write_text(file.get(), "format_version", schema.version);
  for (const auto& field : schema.fields)
    if (!field.path.starts_with("format") && field.path != "content_sha256" && !seldom(input))
      write_field(file.get(), field, input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  prepare_hdf5();
  FuzzedDataProvider input(data, size);
  const Schema& format = schema(fuzzed_format);
  write_file(format, input);
  write_user_block(kFile);
  try {
    const ArtifactReader reader(kFile, format.format);
    const Handle file = open_hdf5(kFile);
    scan_content({file.get(), kFile.string(), std::filesystem::file_size(kFile)});
    check_identities(reader);
    for (const auto& field : format.fields) {
      if (field.kind != FieldKind::dataset || !reader.has(field.path)) continue;
      if (field.type_class == TypeClass::text) {
        reader.read<std::string>(field.path);
      } else {
        reader.read<double>(field.path);
      }
    }
  } catch (const InputError&) {
    // a clear refusal is a good end
  }
  return 0;
}
