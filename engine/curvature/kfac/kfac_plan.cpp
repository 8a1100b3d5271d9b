#include "curvature/kfac/kfac_plan.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

/// [0, size) in ranges of about equal size, each at most `limit`.
std::vector<IndexRange> cut(int64_t size, int64_t limit) {
  const int64_t count = (size + limit - 1) / limit;
  std::vector<IndexRange> ranges;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = size * i / count;
    ranges.push_back({first, size * (i + 1) / count - first});
  }
  return ranges;
}

std::vector<IndexRange> shifted(std::vector<IndexRange> ranges, int64_t by) {
  for (auto& range : ranges) range.first += by;
  return ranges;
}

/// "[0:4096]", "[:, 0:4096]" or "[0:4096, 0:4096]": what is cut, as one would write the slice in Python.
std::string slice_text(const IndexRange& rows, bool rows_cut, const IndexRange& columns, bool columns_cut) {
  const auto text = [](const IndexRange& range, bool is_cut) {
    return is_cut ? fmt::format("{}:{}", range.first, range.first + range.count) : std::string(":");
  };
  if (!columns_cut) return rows_cut ? fmt::format("[{}]", text(rows, true)) : "";
  return fmt::format("[{}, {}]", text(rows, rows_cut), text(columns, true));
}

class Planner {
 public:
  Planner(const model::ParamSpace& space, const PlanOptions& options) : space_(space), options_(options) {}

  void add(const model::Tap& tap, size_t index) {
    if (tap.kind == model::LayerKind::embedding && tap.tied) return;  // its block is that of the output layer
    const KroneckerLayer layer = layer_of(tap);
    const Shape shape = shape_of(tap);
    if (tap.groups > 1) {
      for (int64_t group = 0; group < tap.groups; ++group) {
        add_blocks(group_of(layer, tap, group), {index, group}, {0, shape.rows}, shape.columns);
      }
    } else if (options_.split_qkv && !tap.parts.empty()) {
      add_parts(layer, tap, index, shape);
    } else {
      add_blocks(layer, {index}, {0, shape.rows}, shape.columns);
    }
  }

  KfacPlan plan;

 private:
  /// Of W.
  struct Shape {
    int64_t rows, columns;
  };

  /// Which inputs and outputs of a tap.
  struct Place {
    size_t tap;
    int64_t group = 0;
  };

  KroneckerLayer layer_of(const model::Tap& tap) const {
    KroneckerLayer layer;
    const std::string& weight = space_.parameters()[tap.layer.weight].name;
    layer.name = weight.ends_with(".weight") ? weight.substr(0, weight.size() - 7) : weight;
    if (!tap.name.empty()) layer.name = tap.name;
    layer.kind = tap.kind;
    layer.tied = tap.tied;
    layer.parameters = {weight};
    if (tap.layer.bias) layer.parameters.push_back(space_.parameters()[*tap.layer.bias].name);
    layer.pieces = tap.pieces;
    for (model::Piece& piece : layer.pieces) piece.parameter = piece.parameter == tap.layer.weight ? 0 : 1;
    return layer;
  }

  KroneckerLayer group_of(KroneckerLayer layer, const model::Tap& tap, int64_t group) const {
    const int64_t rows = layer.pieces.front().rows;
    layer.name += fmt::format("[{}:{}]", group * rows, (group + 1) * rows);
    for (model::Piece& piece : layer.pieces) {
      const size_t parameter = piece.parameter == 0 ? tap.layer.weight : *tap.layer.bias;
      piece.offset += group * (space_.parameters()[parameter].size / tap.groups);
    }
    return layer;
  }

  Shape shape_of(const model::Tap& tap) const {
    if (!tap.pieces.empty()) {
      Shape shape{tap.pieces.front().rows, 0};
      for (const model::Piece& piece : tap.pieces) shape.columns += piece.columns;
      return shape;
    }
    const model::Parameter& weight = space_.parameters()[tap.layer.weight];
    const int64_t first = weight.shape[0], rest = weight.size / first;
    if (tap.kind == model::LayerKind::embedding) return {rest, first};
    if (tap.kind == model::LayerKind::norm) return {(tap.layer.bias ? 2 : 1) * first, 1};
    return {first, rest + (tap.layer.bias ? 1 : 0)};
  }

  void add_parts(KroneckerLayer layer, const model::Tap& tap, size_t index, const Shape& shape) {
    const auto rows = shape.rows / static_cast<int64_t>(tap.parts.size());
    layer.is_part = true;
    const std::string whole = layer.name;
    for (size_t i = 0; i < tap.parts.size(); ++i) {
      layer.name = whole + "." + tap.parts[i];
      add_blocks(layer, {index}, {static_cast<int64_t>(i) * rows, rows}, shape.columns);
    }
  }

  /// The layer of the rows `rows`, in as many blocks as the limit asks for.
  void add_blocks(KroneckerLayer layer, const Place& place, const IndexRange& rows, int64_t columns) {
    const bool diagonal = layer.kind == model::LayerKind::embedding;  // A, which needs no eigendecomposition
    const auto row_blocks = shifted(cut(rows.count, options_.max_factor), rows.first);
    const auto column_blocks = cut(columns, diagonal ? columns : options_.max_factor);
    const std::string name = layer.name;
    const bool rows_cut = row_blocks.size() > 1, columns_cut = column_blocks.size() > 1;
    layer.is_part = layer.is_part || rows_cut || columns_cut;
    if (rows_cut || columns_cut) {
      spdlog::info(
          "{}: factors of {} outputs and {} inputs are kept as {} and {} diagonal blocks (--max-factor {})",
          name, rows.count, columns, row_blocks.size(), column_blocks.size(), options_.max_factor);
    }
    for (const IndexRange& r : row_blocks) {
      for (const IndexRange& c : column_blocks) {
        layer.name = name + slice_text(r, rows_cut, c, columns_cut);
        layer.first_row = r.first;
        layer.first_column = c.first;
        add_layer(layer, {true, place.tap, {place.group * columns + c.first, c.count}},
                  {false, place.tap, {place.group * rows.count + r.first, r.count}});
      }
    }
  }

  void add_layer(const KroneckerLayer& layer, const FactorPlace& a, const FactorPlace& g) {
    for (const auto& other : plan.layers) {
      if (other.layer.name != layer.name) continue;
      throw InputError("layer " + layer.name +
                       " is used twice in one forward pass; K-FAC has no factors for that");
    }
    plan.layers.push_back({layer, factor(a), factor(g)});
  }

  /// Its index; a factor that is there is shared.
  size_t factor(const FactorPlace& wanted) {
    const auto same = [&](const FactorPlace& f) {
      return f.is_input == wanted.is_input && f.tap == wanted.tap && f.range.first == wanted.range.first;
    };
    const auto found = std::find_if(plan.factors.begin(), plan.factors.end(), same);
    const auto index = static_cast<size_t>(found - plan.factors.begin());
    if (found == plan.factors.end()) plan.factors.push_back(wanted);
    return index;
  }

  const model::ParamSpace& space_;
  PlanOptions options_;
};

}  // namespace

KfacPlan make_kfac_plan(const model::ParamSpace& space, const model::Taps& taps, const PlanOptions& options) {
  if (options.max_factor < 1) {
    throw InputError(fmt::format("--max-factor is {}, expected at least 1", options.max_factor));
  }
  Planner planner(space, options);
  for (size_t i = 0; i < taps.size(); ++i) planner.add(taps[i], i);
  return std::move(planner.plan);
}

}  // namespace ritzflow::curvature
