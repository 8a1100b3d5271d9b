#include <cmath>
#include <limits>

#include "core/sha256.h"
#include "fixture.h"

namespace ritzflow::artifact {
namespace {

using RoundTrip = ArtifactTest;

template <class T>
void expect_same(const std::filesystem::path& path, const std::string& dtype, const std::vector<T>& values) {
  {
    ArtifactWriter writer(path, "ritzflow-lanczos");
    fill_lanczos(writer);
    writer.dataset("deep/er/values", values, {2, static_cast<std::int64_t>(values.size()) / 2});
    writer.commit();
  }
  const ArtifactReader reader(path, "ritzflow-lanczos");
  EXPECT_EQ(reader.read<T>("deep/er/values"), values);
  EXPECT_EQ(reader.dtype("deep/er/values"), dtype);
  EXPECT_EQ(reader.shape("deep/er/values"),
            (std::vector<std::int64_t>{2, static_cast<std::int64_t>(values.size()) / 2}));
}

TEST_F(RoundTrip, DatasetsOfEveryTypeReadBackToTheBit) {
  expect_same<double>(file("d.h5"), "float64", {0.1, -0.0, std::numeric_limits<double>::denorm_min(), 1e300});
  expect_same<float>(file("f.h5"), "float32", {0.1f, -0.0f, 1e-45f, 3e38f});
  expect_same<std::int64_t>(file("i.h5"), "int64", {std::numeric_limits<std::int64_t>::min(), -1, 0, 1});
  expect_same<std::uint8_t>(file("u.h5"), "uint8", {0, 1, 254, 255});
}

TEST_F(RoundTrip, AttributesOfEveryTypeReadBack) {
  {
    ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
    fill_lanczos(writer);
    writer.attribute("yes", true);
    writer.attribute("seed", std::int64_t{1} << 60);
    writer.attribute("tol", 1e-6);
    writer.attribute("note", "größer als λ");
    writer.attribute("names", std::vector<std::string>{"0.weight", "", "0.bias"});
    writer.attribute("none", std::vector<std::string>{});
    writer.attribute("dims", std::vector<std::int64_t>{3, 4});
    writer.attribute("weights", std::vector<double>{.5, .25});
    writer.attribute("alpha", "unit", "1");
    writer.attribute("layers/fc1", "parameters", std::vector<std::string>{"w"});
    writer.commit();
  }
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  EXPECT_TRUE(r.attribute<bool>("yes"));
  EXPECT_EQ(r.attribute<std::int64_t>("yes"), 1);
  EXPECT_EQ(r.attribute<std::int64_t>("seed"), std::int64_t{1} << 60);
  EXPECT_EQ(r.attribute<double>("tol"), 1e-6);
  EXPECT_EQ(r.attribute<double>("iterations"), 3.0);
  EXPECT_EQ(r.attribute<std::string>("note"), "größer als λ");
  EXPECT_EQ(r.attribute<std::vector<std::string>>("names"),
            (std::vector<std::string>{"0.weight", "", "0.bias"}));
  EXPECT_TRUE(r.attribute<std::vector<std::string>>("none").empty());
  EXPECT_EQ(r.attribute<std::vector<std::int64_t>>("dims"), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(r.attribute<std::vector<double>>("weights"), (std::vector<double>{.5, .25}));
  EXPECT_EQ(r.attribute<std::string>("alpha", "unit"), "1");
  EXPECT_EQ(r.attribute<std::vector<std::string>>("layers/fc1", "parameters"),
            (std::vector<std::string>{"w"}));
  EXPECT_TRUE(r.has_attribute("alpha", "unit"));
  EXPECT_FALSE(r.has_attribute("nothing", "unit"));
  EXPECT_EQ(r.children("layers"), (std::vector<std::string>{"fc1"}));
}

TEST_F(RoundTrip, AttributesOfTheWrongTypeAreRefusedByName) {
  write_lanczos(file("a.h5"));
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  EXPECT_EQ(input_error([&] { r.attribute<std::int64_t>("reorth_mode"); }),
            file("a.h5").string() + ": attribute 'reorth_mode' has shape [] of string, expected one integer");
  EXPECT_NE(input_error([&] { r.attribute<std::string>("iterations"); }).find("expected one text"),
            std::string::npos);
  EXPECT_NE(input_error([&] { r.attribute<bool>("iterations"); }).find("expected one boolean"),
            std::string::npos);
  EXPECT_EQ(input_error([&] { r.attribute<double>("absent"); }),
            file("a.h5").string() + ": attribute 'absent' is missing");
}

TEST_F(RoundTrip, RowsReadBackInAnyBlock) {
  write_lanczos(file("a.h5"));
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  std::vector<double> rows(8);
  r.read_rows<double>("basis", 1, 2, rows);
  EXPECT_EQ(rows, (std::vector<double>{0, 1, 0, 0, 0, 0, 1, 0}));
  EXPECT_NE(input_error([&] { r.read_rows<double>("basis", 2, 2, rows); }).find("expected rows 2 to 4"),
            std::string::npos);
}

TEST_F(RoundTrip, RowsLongerThanAChunkReadBack) {
  const std::int64_t cols = (std::int64_t{1} << 20) * 2 + 3;
  {
    ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
    fill_lanczos(writer);
    auto rows = writer.rows<float>("wide", 2, cols);
    for (int i = 0; i < 2; ++i)
      rows.append(std::vector<float>(static_cast<std::size_t>(cols), static_cast<float>(i + 1)));
    writer.commit();
  }
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  const auto values = r.read<float>("wide");
  EXPECT_EQ(std::count(values.begin(), values.end(), 1.f), cols);
  EXPECT_EQ(std::count(values.begin(), values.end(), 2.f), cols);
  EXPECT_EQ(r.content_sha256(), r.compute_content_sha256());
}

TEST_F(RoundTrip, NumbersConvertButNothingIsCut) {
  write_lanczos(file("a.h5"));
  edit(file("a.h5"), [](hid_t id) { replace_dataset(id, "certificate_steps", H5T_STD_I32BE, {3}); });
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  EXPECT_EQ(r.dtype("certificate_steps"), "int32");
  EXPECT_EQ(r.read<double>("certificate_steps"), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(r.read<float>("alpha"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(input_error([&] { r.read<std::int64_t>("alpha"); }),
            file("a.h5").string() + ": dataset 'alpha' holds float64, expected integers");
  EXPECT_NE(input_error([&] { r.read<std::string>("alpha"); }).find("expected text"), std::string::npos);
}

TEST_F(RoundTrip, StringsScalarsAndEmptyDatasetsReadBack) {
  {
    ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
    fill_lanczos(writer);
    writer.strings("verdicts", {"converged", "", "ghost"});
    writer.strings("nothing", {});
    writer.dataset("norm", std::vector<double>{2.5}, {});
    writer.dataset("none", std::vector<double>{}, {0, 4});
    writer.rows<double>("no_rows", 0, 4);
    writer.commit();
  }
  const ArtifactReader r(file("a.h5"), "ritzflow-lanczos");
  EXPECT_EQ(r.read<std::string>("verdicts"), (std::vector<std::string>{"converged", "", "ghost"}));
  EXPECT_TRUE(r.read<std::string>("nothing").empty());
  EXPECT_EQ(r.read<double>("norm"), (std::vector<double>{2.5}));
  EXPECT_EQ(r.shape("none"), (std::vector<std::int64_t>{0, 4}));
  EXPECT_TRUE(r.read<double>("no_rows").empty());
  EXPECT_EQ(r.attribute<std::string>("/", "format"), "ritzflow-lanczos");
}

TEST_F(RoundTrip, Sha256OfPiecesEqualsThePublishedVector) {
  const std::string abc =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-4, "abc"
  Sha256 sha;
  sha.update("a");
  sha.update("bc");
  EXPECT_EQ(sha.hex(), abc);
  EXPECT_EQ(sha256_hex("abc"), abc);
  put_bytes(file("t"), "xxabc");
  EXPECT_EQ(sha256_file(file("t"), 2), abc);
  EXPECT_THROW(sha256_file(file("absent")), IoError);
}

}  // namespace
}  // namespace ritzflow::artifact
