#include "artifact/validate.h"

#include <cmath>

#include "fixture.h"

namespace ritzflow::artifact {
namespace {

using Validate = ArtifactTest;

std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const auto& problem : problems) all.push_back(problem.text);
  return all;
}

using Lines = std::vector<std::string>;

TEST_F(Validate, AGoodFileHasNoProblemsAndItsDigestIsShown) {
  const std::string digest = write_lanczos(file("x.h5"));
  const Validation result = check_file(file("x.h5"));
  EXPECT_TRUE(result.problems.empty());
  EXPECT_TRUE(result.notes.empty());
  EXPECT_EQ(result.format, "ritzflow-lanczos");
  EXPECT_EQ(result.content_sha256, digest);
}

TEST_F(Validate, AFileWithoutDigestsIsNotedNotRefused) {
  write_lanczos(file("x.h5"));
  edit(file("x.h5"), [](hid_t) {});
  const Validation result = check_file(file("x.h5"));
  EXPECT_TRUE(result.problems.empty());
  EXPECT_EQ(result.notes.size(), 2u);
}

TEST_F(Validate, EveryDepartureFromTheSchemaIsReported) {
  write_lanczos(file("x.h5"));
  edit(file("x.h5"), [](hid_t id) {
    H5Ldelete(id, "beta", H5P_DEFAULT);
    H5Adelete(id, "iterations");
  });
  EXPECT_EQ(texts(validate(file("x.h5"))),
            (Lines{"dataset 'beta' is missing", "attribute 'iterations' is missing"}));
}

TEST_F(Validate, AlphaAndBetaMustBeTheDiagonalsOfH) {
  write_lanczos(file("x.h5"));
  edit(file("x.h5"), [](hid_t id) { replace_dataset(id, "alpha", H5T_IEEE_F64LE, {3}); });
  const auto problems = texts(validate(file("x.h5")));
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[0], "dataset 'alpha' differs from the diagonal of 'H' at 0");
}

TEST_F(Validate, ANonFiniteValueIsLocated) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-lanczos");
  fill_lanczos(writer);
  writer.dataset("extra/values", std::vector<double>{1, 2, std::nan("")});
  writer.commit();
  EXPECT_EQ(texts(validate(file("x.h5"))),
            Lines{"dataset 'extra/values' has a NaN or an infinity at element 2"});
}

TEST_F(Validate, RitzValuesDescendWithinTheirIntervals) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-ritz");
  writer.dataset("eigenvalues", std::vector<double>{1, 2});
  writer.dataset("vectors", std::vector<double>{1, 0, 0, 1}, {2, 2});
  for (const char* name : {"residuals", "residual_estimates", "basis_norms", "gammas"})
    writer.dataset(name, std::vector<double>{0, 0});
  writer.dataset("intervals", std::vector<double>{0, 1, 3, 4}, {2, 2});
  writer.strings("verdicts", {"converged", "fine"});
  for (const char* name : {"lambda_min", "lambda_max"}) writer.attribute(name, 1.0);
  writer.attribute("certified_largest", false);
  writer.attribute("operator_calls", 2);
  writer.commit();
  EXPECT_EQ(
      texts(validate(file("x.h5"))),
      (Lines{"dataset 'eigenvalues' rises at 1, expected descending values",
             "dataset 'intervals' does not contain the eigenvalue at 1",
             "dataset 'verdicts' at 1 is 'fine', expected one of converged, unconverged, ghost, spurious"}));
}

TEST_F(Validate, LabelsMustBeClasses) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-data");
  writer.dataset("inputs", std::vector<float>{1, 2, 3, 4}, {2, 2});
  writer.dataset("targets", std::vector<std::int64_t>{0, 2});
  writer.attribute("task", "classification");
  writer.attribute("num_classes", 2);
  writer.commit();
  EXPECT_EQ(texts(validate(file("x.h5"))), Lines{"dataset 'targets' is 2 at 1, expected 0 to 1"});
}

TEST_F(Validate, ADamagedFileIsOneProblem) {
  write_lanczos(file("x.h5"));
  std::string bytes = bytes_of(file("x.h5"));
  bytes[2000] = static_cast<char>(bytes[2000] ^ 1);
  put_bytes(file("x.h5"), bytes);
  const auto problems = texts(validate(file("x.h5")));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems[0].starts_with("the bytes do not match the SHA-256 in the user block"));
}

}  // namespace
}  // namespace ritzflow::artifact
