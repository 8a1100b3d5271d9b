#include <map>
#include <set>
#include <sstream>

#include "artifact/schema/schema_rows.h"
#include "artifact/validate.h"
#include "fixture.h"

namespace ritzflow::artifact {
namespace {

using SchemaCheck = ArtifactTest;

std::string error_after(const std::filesystem::path& path, const std::function<void(hid_t)>& change) {
  write_lanczos(path);
  edit(path, change);
  const std::string error = input_error([&] { ArtifactReader(path, "ritzflow-lanczos"); });
  return error.starts_with(path.string() + ": ") ? error.substr(path.string().size() + 2) : error;
}

TEST_F(SchemaCheck, AUsersFileWithoutDigestsIsWelcome) {
  write_lanczos(file("x.h5"));
  const std::string digest = ArtifactReader(file("x.h5"), "ritzflow-lanczos").content_sha256();
  edit(file("x.h5"), [](hid_t id) {
    replace_dataset(id, "mine/extra", H5T_STD_I16LE, {2});
    H5Ldelete(id, "mine", H5P_DEFAULT);
  });
  const ArtifactReader reader(file("x.h5"), "ritzflow-lanczos");
  EXPECT_FALSE(reader.verified());
  EXPECT_EQ(reader.content_sha256(), digest);
}

TEST_F(SchemaCheck, ExtraDatasetsAndAttributesAreWelcome) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { replace_dataset(id, "mine", H5T_STD_I16LE, {2, 2}); }),
            "");
}

TEST_F(SchemaCheck, AMissingDatasetIsNamed) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { H5Ldelete(id, "alpha", H5P_DEFAULT); }),
            "dataset 'alpha' is missing");
}

TEST_F(SchemaCheck, AMissingAttributeIsNamed) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { H5Adelete(id, "iterations"); }),
            "attribute 'iterations' is missing");
}

TEST_F(SchemaCheck, AWrongShapeNamesTheDatasetItDisagreesWith) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { replace_dataset(id, "alpha", H5T_IEEE_F64LE, {4}); }),
            "dataset 'alpha' has shape [4], expected [m] with m = 3 from 'H'");
  EXPECT_EQ(error_after(file("y.h5"), [](hid_t id) { replace_dataset(id, "H", H5T_IEEE_F64LE, {3}); }),
            "dataset 'H' has shape [3], expected [m, m]");
  EXPECT_EQ(error_after(file("z.h5"), [](hid_t id) { replace_dataset(id, "basis", H5T_IEEE_F64LE, {3, 5}); }),
            "dataset 'basis' has shape [3, 5], expected [m, n] with n = 4 from 'start_vector'");
}

TEST_F(SchemaCheck, AWrongTypeIsNamed) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { replace_dataset(id, "alpha", H5T_STD_I64LE, {3}); }),
            "dataset 'alpha' holds int64, expected floating-point numbers");
  EXPECT_EQ(error_after(file("y.h5"), [](hid_t id) { replace_text_attribute(id, "iterations", "three"); }),
            "attribute 'iterations' holds string, expected integers");
}

TEST_F(SchemaCheck, AnotherFormatIsRefused) {
  write_lanczos(file("x.h5"));
  EXPECT_EQ(input_error([&] { ArtifactReader(file("x.h5"), "ritzflow-ritz"); }),
            file("x.h5").string() + ": is a 'ritzflow-lanczos' file, expected 'ritzflow-ritz'");
}

TEST_F(SchemaCheck, AnotherMajorIsRefusedAndAnotherMinorIsRead) {
  EXPECT_EQ(error_after(file("x.h5"), [](hid_t id) { replace_text_attribute(id, "format_version", "2.0"); }),
            "has format_version 2.0, this program reads 1.x");
  EXPECT_EQ(error_after(file("y.h5"), [](hid_t id) { replace_text_attribute(id, "format_version", "1.7"); }),
            "");
}

TEST_F(SchemaCheck, AChangedValueIsCaughtByTheContentDigest) {
  write_lanczos(file("x.h5"));
  std::string bytes = bytes_of(file("x.h5"));
  const double before = 0.125, after = 0.126;
  const auto place = bytes.find(std::string(reinterpret_cast<const char*>(&before), sizeof before));
  ASSERT_NE(place, std::string::npos);
  bytes.replace(place, sizeof after, std::string(reinterpret_cast<const char*>(&after), sizeof after));
  bytes.replace(0, 512, std::string(512, '\0'));
  put_bytes(file("x.h5"), bytes);
  EXPECT_NE(input_error([&] {
              ArtifactReader(file("x.h5"), "ritzflow-lanczos");
            }).find("expected the stored content_sha256"),
            std::string::npos);
}

TEST_F(SchemaCheck, DimensionsBelowAPatternAgreeWithinOneLayerOnly) {
  const auto write = [&](const std::string& name, std::int64_t wrong) {
    ArtifactWriter writer(file(name), "ritzflow-kfac");
    for (const char* count : {"covered_parameters", "total_parameters", "covered_elements", "total_elements"})
      writer.attribute(count, 6);
    writer.attribute("missing", std::vector<std::string>{});
    for (const std::int64_t in : {2, 3}) {
      const std::string layer = "layers/" + std::to_string(in) + "/";
      const auto zeros = [](std::int64_t n) { return std::vector<double>(static_cast<std::size_t>(n)); };
      writer.dataset(layer + "a_eigenvalues", zeros(in));
      writer.dataset(layer + "a_eigenvectors", zeros(in * in), {in, in});
      writer.dataset(layer + "g_eigenvalues", zeros(4));
      writer.dataset(layer + "g_eigenvectors", zeros(4 * (4 + wrong)), {4, 4 + wrong});
      writer.attribute("layers/" + std::to_string(in), "parameters", std::vector<std::string>{"w", "b"});
    }
    writer.commit();
  };
  EXPECT_NO_THROW(write("good.h5", 0));
  EXPECT_NO_THROW(ArtifactReader(file("good.h5"), "ritzflow-kfac"));
  EXPECT_THROW(write("bad.h5", 1), std::logic_error);
}

TEST_F(SchemaCheck, StepsHaveEightDigitsAndAtLeastOneParameter) {
  const auto write = [&](const std::string& step) {
    ArtifactWriter writer(file("m.h5"), "ritzflow-model");
    writer.attribute("spec", "{}");
    writer.attribute("parameter_order", std::vector<std::string>{"0.weight"});
    writer.dataset("steps/" + step + "/0.weight", std::vector<float>{1, 2}, {1, 2});
    writer.commit();
  };
  EXPECT_NO_THROW(write("00000100"));
  EXPECT_TRUE(validate(file("m.h5")).empty());
  EXPECT_THROW(write("100"), std::logic_error);
}

TEST(Schemas, TheFormatsDocumentHasTheRowOfEachFieldAndNoOther) {
  const std::string document = bytes_of(std::string(RITZFLOW_SOURCE_DIR) + "/docs/formats.md");
  for (const auto& format : schemas()) {
    const auto begin = document.find("## " + format.format + "\n");
    ASSERT_NE(begin, std::string::npos) << format.format;
    const std::string section = document.substr(begin, document.find("\n## ", begin) - begin);
    EXPECT_NE(section.find("`" + format.version + "`"), std::string::npos) << format.format;
    std::set<std::string> expected, found;
    for (const auto& field : format.fields)
      if (!field.path.starts_with("format") && field.path != "content_sha256") expected.insert(row_of(field));
    std::istringstream lines(section);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("| `")) found.insert(line);
    for (const auto& row : expected) EXPECT_TRUE(found.contains(row)) << format.format << " lacks\n" << row;
    for (const auto& row : found) EXPECT_TRUE(expected.contains(row)) << format.format << " has no\n" << row;
  }
}

TEST(Schemas, AnUnknownFormatIsAMistakeOfTheProgram) {
  EXPECT_THROW(schema("ritzflow-none"), std::logic_error);
}

}  // namespace
}  // namespace ritzflow::artifact
