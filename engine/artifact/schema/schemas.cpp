#include <stdexcept>

#include "artifact/schema/schema_fields.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::artifact {
namespace fields {

std::vector<Field> with_common(std::vector<Field> fields) {
  std::vector<Field> all = {
      attr("format", text, "name of the format"),
      attr("format_version", text, "major.minor; a reader refuses another major"),
      optional(attr("content_sha256", text, "digest of everything outside /provenance")),
  };
  all.insert(all.end(), fields.begin(), fields.end());
  return all;
}

std::vector<Field> with_segment(std::vector<Field> fields) {
  fields.insert(fields.begin(),
                attr("identity", text, "JSON: settings and digests that a continuation must share"));
  return with_common(std::move(fields));
}

std::vector<Field> with_run(std::vector<Field> fields) {
  const std::vector<Field> of_start = {
      optional(attr("start_sha256", text, "content_sha256 of the ritz.h5 that the run started from, if any")),
      optional(attr("start_vectors", integer, "its Ritz vectors in the start vector")),
      optional(attr("start_random", real, "share of a random vector beside each of them")),
      optional(attr("n_params", integer, "dimension n of the operator")),
  };
  fields.insert(fields.end(), of_start.begin(), of_start.end());
  return with_settings_of<LanczosSettings>(std::move(fields));
}

}  // namespace fields

const std::vector<Schema>& schemas() {
  using namespace fields;
  static const std::vector<Schema> all = {data_schema(),     model_schema(),      kfac_schema(),
                                          operator_schema(), lanczos_schema(),    ritz_schema(),
                                          density_schema(),  checkpoint_schema(), training_schema(),
                                          products_schema(), sums_schema()};
  return all;
}

const Schema& schema(const std::string& format) {
  for (const auto& candidate : schemas())
    if (candidate.format == format) return candidate;
  throw std::logic_error("there is no format '" + format + "'");
}

}  // namespace ritzflow::artifact
