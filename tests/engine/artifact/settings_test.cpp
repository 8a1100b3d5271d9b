// Settings in files, and the words of enumerations.
#include "artifact/settings_attributes.h"
#include "fixture.h"
#include "settings/lanczos_settings.h"
#include "settings/stage_settings.h"

namespace ritzflow::artifact {
namespace {

using SettingsInFiles = ArtifactTest;

LanczosSettings unusual() {
  return {.k = 3,
          .max_iters = 7,
          .tol = 0.5,
          .which = Which::both,
          .reorth_mode = ReorthMode::thick_restart,
          .reorth_window = 2,
          .reorth_period = 4,
          .krylov_dim = 6,
          .seed = 9,
          .dtype_basis = BasisType::float32};
}

TEST_F(SettingsInFiles, ComeBackAsTheyWereWritten) {
  ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
  fill_lanczos(writer, nullptr);
  write_settings(writer, unusual());
  writer.commit();
  const auto read = read_settings<LanczosSettings>(ArtifactReader(file("a.h5"), "ritzflow-lanczos"));
  EXPECT_EQ(identity_of(read), identity_of(unusual()));
}

TEST_F(SettingsInFiles, AMissingOneIsNamed) {
  ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
  fill_lanczos(writer);
  writer.commit();
  const ArtifactReader reader(file("a.h5"), "ritzflow-lanczos");
  EXPECT_NE(input_error([&] { read_settings<LanczosSettings>(reader); }).find("'k'"), std::string::npos);
}

TEST_F(SettingsInFiles, AnotherWordIsAnsweredWithTheRightOnes) {
  ArtifactWriter writer(file("a.h5"), "ritzflow-lanczos");
  fill_lanczos(writer);
  writer.attribute("which", "larges");
  writer.commit();
  const ArtifactReader reader(file("a.h5"), "ritzflow-lanczos");
  EXPECT_EQ(
      input_error([&] { word_attribute<Which>(reader, "which"); }),
      file("a.h5").string() +
          ": attribute 'which' is 'larges', expected one of largest, smallest, both, magnitude; did you "
          "mean 'largest'?");
}

TEST(Settings, IdentitiesHoldWhatChangesResultsAlone) {
  EXPECT_EQ(identity_of(CheckpointSettings{}), nlohmann::json::object());
  EXPECT_EQ(identity_of(BasisSettings<BasisPlace>{}), nlohmann::json::object());
  EXPECT_EQ(identity_of(HessianSettings{}), nlohmann::json({{"hessian_mode", "reverse_over_reverse"}}));
}

TEST(Settings, NoOperatorHasASettingOfAnotherKind) {
  for (const std::string& kind : words<OperatorKind>()) {
    const KindSettings defaults = default_settings(parse_word<OperatorKind>("", kind));
    std::visit(
        [&](const auto& settings) {
          each_value(settings, [&](const auto&, const About& about) {
            EXPECT_NE(std::ranges::find(about.only_for, kind), about.only_for.end()) << about.name;
          });
        },
        defaults);
  }
}

TEST(Words, ComeBackFromTheirValues) {
  for (const auto& text : words<ReorthMode>()) EXPECT_EQ(word(parse_word<ReorthMode>("", text)), text);
}

}  // namespace
}  // namespace ritzflow::artifact
