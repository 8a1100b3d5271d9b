#include "artifact/json_file.h"

#include "artifact/compare/compare.h"
#include "fixture.h"

namespace ritzflow::artifact {
namespace {

std::string nested(int levels) { return std::string(levels, '[') + std::string(levels, ']'); }

class JsonFile : public ArtifactTest {
 protected:
  std::string refusal(const std::string& text) {
    put_bytes(file("a.json"), text);
    return input_error([&] { read_json(file("a.json")); });
  }
};

TEST_F(JsonFile, GivesItsValue) {
  put_bytes(file("a.json"), R"({"k": [1, 2.5, "x"]})");
  EXPECT_EQ(read_json(file("a.json")), (nlohmann::json{{"k", {1, 2.5, "x"}}}));
  put_bytes(file("a.json"), nested(100));
  EXPECT_TRUE(read_json(file("a.json")).is_array());
}

TEST_F(JsonFile, ErrorsNameTheFileAndTheLine) {
  const std::string name = file("a.json").string();
  EXPECT_EQ(refusal("{\n\"k\": 1,\n}"), name + ": is not valid JSON: see line 3");
  EXPECT_EQ(refusal(""), name + ": is not valid JSON: see line 1");
  EXPECT_EQ(refusal("\"\xff\""), name + ": is not valid JSON: see line 1");
  EXPECT_EQ(refusal("[1e400]"), name + ": is not valid JSON: a number is beyond the range of float64");
  EXPECT_NE(input_error([&] { read_json(folder_); }).find("cannot be read"), std::string::npos);
  EXPECT_NE(input_error([&] { read_json(file("none")); }).find("cannot be read"), std::string::npos);
}

// A copy or dump() of a million levels would need more stack than there is.
TEST_F(JsonFile, DeepTextIsRefusedBeforeAnyWalkOverIt) {
  for (const std::string& text : {nested(101), nested(1000000), std::string(1000000, '['),
                                  R"({"a": {"b": )" + nested(1000000) + "}}"}) {
    EXPECT_NE(refusal(text).find("nested more than 100 levels deep"), std::string::npos);
  }
  put_bytes(file("b.json"), "{}");
  EXPECT_EQ(compare_artifacts(file("a.json"), file("b.json"), 0).agreement, Agreement::damaged);
}

}  // namespace
}  // namespace ritzflow::artifact
