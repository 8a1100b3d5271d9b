#include "artifact/compare/compare.h"

#include <algorithm>
#include <cmath>

#include "fixture.h"

namespace ritzflow::artifact {
namespace {

class Compare : public ArtifactTest {
 protected:
  /// A lanczos file whose alpha[1] and host are given.
  std::filesystem::path write(const std::string& name, double alpha, const std::string& host = "here",
                              const std::string& operator_sha256 = "aa") const {
    ArtifactWriter writer(file(name), "ritzflow-lanczos");
    for (const char* text : {"reorth_mode", "reorth_mode_requested", "reorth_reason"})
      writer.attribute(text, "full");
    for (const char* count : {"iterations", "operator_calls", "certificate_calls"})
      writer.attribute(count, 3);
    writer.attribute("operator_sha256", operator_sha256);
    writer.dataset("H", std::vector<double>{1, .5, 0, .5, alpha, .25, 0, .25, 4}, {3, 3});
    writer.dataset("alpha", std::vector<double>{1, alpha, 4});
    writer.dataset("beta", std::vector<double>{.5, .25, .125});
    writer.dataset("start_vector", std::vector<double>{1, 0, 0, 0});
    writer.provenance({{"host", host}});
    writer.commit();
    return file(name);
  }
  Comparison compare(const std::filesystem::path& a, const std::filesystem::path& b,
                     double rtol = 1e-9) const {
    return compare_artifacts(a, b, rtol);
  }
};

TEST_F(Compare, EqualFilesHaveTheSameBytes) {
  EXPECT_EQ(compare(write("a.h5", 2), write("b.h5", 2)).agreement, Agreement::same_bytes);
}

TEST_F(Compare, AnotherHostHasTheSameContent) {
  EXPECT_EQ(compare(write("a.h5", 2), write("b.h5", 2, "there")).agreement, Agreement::same_content);
}

TEST_F(Compare, ADeviationIsRelativeToTheLargestValueOfItsQuantityAndNamesItsPlace) {
  const Comparison found = compare(write("a.h5", 2), write("b.h5", 2 + 4e-7), 1.1e-7);
  EXPECT_EQ(found.agreement, Agreement::within_tolerance);
  ASSERT_EQ(found.deviations.size(), 2U);
  EXPECT_EQ(found.deviations[0].quantity, "H");
  EXPECT_NEAR(found.deviations[0].absolute, 4e-7, 1e-15);
  EXPECT_NEAR(found.deviations[0].relative, 1e-7, 1e-15);
  EXPECT_EQ(found.deviations[0].where, "[1, 1]: 2 and 2.0000004");
  EXPECT_EQ(compare(file("a.h5"), file("b.h5"), 0.9e-7).agreement, Agreement::different);
}

TEST_F(Compare, DigestsOfInputsAreNotesAndDecideNothing) {
  const Comparison found = compare(write("a.h5", 2), write("b.h5", 2, "here", "bb"), 0);
  EXPECT_EQ(found.agreement, Agreement::within_tolerance);
  EXPECT_EQ(found.notes, std::vector<std::string>{"made from other inputs: operator_sha256"});
}

TEST_F(Compare, AnotherShapeOrAMissingQuantityIsADifferenceAtAnyTolerance) {
  write("a.h5", 2);
  write_lanczos(file("b.h5"));
  const Comparison found = compare(file("a.h5"), file("b.h5"), 1e300);
  EXPECT_EQ(found.agreement, Agreement::different);
  EXPECT_TRUE(std::isinf(found.largest()));
  const auto basis = std::find_if(found.deviations.begin(), found.deviations.end(),
                                  [](const Deviation& d) { return d.quantity == "basis"; });
  ASSERT_NE(basis, found.deviations.end());
  EXPECT_EQ(basis->where, "in the second only");
}

TEST_F(Compare, AUsersFileWithoutDigestsIsComparedByItsContent) {
  write("a.h5", 2);
  write("b.h5", 2);
  edit(file("b.h5"), [](hid_t) {});
  EXPECT_EQ(compare(file("a.h5"), file("b.h5")).agreement, Agreement::same_content);
}

TEST_F(Compare, ADamagedFileIsItsVerdictWithTheReason) {
  write("a.h5", 2);
  put_bytes(file("b.h5"), bytes_of(file("a.h5")) + "x");
  const Comparison found = compare(file("a.h5"), file("b.h5"));
  EXPECT_EQ(found.agreement, Agreement::damaged);
  ASSERT_FALSE(found.notes.empty());
  EXPECT_NE(found.notes.front().find("b.h5"), std::string::npos) << found.notes.front();
}

TEST_F(Compare, JsonRecordsAreComparedByKey) {
  put_bytes(file("a.json"), R"({"eigenvalues": [4, 2, 1e-9], "kind": "ggn", "k": 3, "unknown": null})");
  put_bytes(file("b.json"), R"({"k": 3, "eigenvalues": [4, 2.0004, 2e-9], "kind": "ggn", "unknown": null})");
  const Comparison found = compare(file("a.json"), file("b.json"), 1.1e-4);
  EXPECT_EQ(found.agreement, Agreement::within_tolerance);
  ASSERT_EQ(found.deviations.size(), 1U);
  EXPECT_EQ(found.deviations[0].where, "[1]: 2 and 2.0004");
  put_bytes(file("b.json"), R"({"eigenvalues": [4, 2, 1e-9], "kind": "kfac", "k": 3, "unknown": 1})");
  EXPECT_EQ(compare(file("a.json"), file("b.json"), 1).deviations.size(), 2U);
}

}  // namespace
}  // namespace ritzflow::artifact
