#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/audit.h"

namespace ritzflow::app {
namespace {

constexpr artifact::Agreement kAll[] = {
    artifact::Agreement::same_bytes, artifact::Agreement::same_content, artifact::Agreement::within_tolerance,
    artifact::Agreement::different,  artifact::Agreement::missing,      artifact::Agreement::damaged};

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.3g}", value) : ""; }

// What a row of a table says of the largest deviation.
struct Row {
  std::string quantity, absolute, relative, where;
};

Row row(const artifact::Comparison& comparison) {
  if (comparison.deviations.empty())
    return {"", "", "", fmt::format("{}", fmt::join(comparison.notes, "; "))};
  const artifact::Deviation& worst = comparison.deviations.front();
  const bool is_number = std::isfinite(worst.relative);
  return {worst.quantity, is_number ? number(worst.absolute) : "", number(worst.relative), worst.where};
}

// Text in a cell of a table: a bar would end it, a line break the row.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string markdown(const Audit& audit) {
  std::string text = "| verdict | artifacts |\n|---|---|\n";
  for (const artifact::Agreement agreement : kAll)
    text += fmt::format("| {} | {} |\n", artifact::agreement_name(agreement), audit.count(agreement));
  text += "\n";
  std::string rows;
  for (const auto& artifact : audit.artifacts) {
    if (artifact.agreement == artifact::Agreement::same_bytes ||
        artifact.agreement == artifact::Agreement::same_content)
      continue;
    const Row r = row(artifact);
    rows += fmt::format("| {} | {} | {} | {} | {} | {} |\n", cell(artifact.name),
                        artifact::agreement_name(artifact.agreement), cell(r.quantity), r.absolute,
                        r.relative, cell(r.where));
  }
  if (rows.empty()) return text;
  return text +
         "| artifact | verdict | quantity | largest difference | relative | where "
         "|\n|---|---|---|---|---|---|\n" +
         rows;
}

std::string csv_quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string escaped;
  for (const char c : text) escaped += c == '"' ? std::string("\"\"") : std::string(1, c);
  return "\"" + escaped + "\"";
}

std::string csv(const Audit& audit) {
  std::string text = "artifact,verdict,content_sha256,quantity,absolute,relative,where\n";
  for (const auto& artifact : audit.artifacts) {
    const Row r = row(artifact);
    text += fmt::format("{},{},{},{},{},{},{}\n", csv_quoted(artifact.name),
                        artifact::agreement_name(artifact.agreement), artifact.content_sha256,
                        csv_quoted(r.quantity), r.absolute, r.relative, csv_quoted(r.where));
  }
  return text;
}

nlohmann::json deviation_json(const artifact::Deviation& d) {
  const bool is_number = std::isfinite(d.relative);  // else null
  return {{"quantity", d.quantity},
          {"absolute", is_number ? nlohmann::json(d.absolute) : nlohmann::json()},
          {"relative", is_number ? nlohmann::json(d.relative) : nlohmann::json()},
          {"where", d.where}};
}

std::string json_text(const Audit& audit) {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& artifact : audit.artifacts) {
    nlohmann::json deviations = nlohmann::json::array();
    for (const auto& d : artifact.deviations) deviations.push_back(deviation_json(d));
    all.push_back({{"artifact", artifact.name},
                   {"verdict", artifact::agreement_name(artifact.agreement)},
                   {"content_sha256", artifact.content_sha256},
                   {"deviations", deviations},
                   {"notes", artifact.notes}});
  }
  // Names of files need not be UTF-8.
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string audit_text(const Audit& audit, const std::string& format) {
  if (format == "csv") return csv(audit);
  if (format == "json") return json_text(audit);
  return markdown(audit);
}

}  // namespace ritzflow::app
