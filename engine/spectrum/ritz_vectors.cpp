#include "spectrum/ritz_vectors.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/error.h"
#include "spectrum/expected_memory.h"

namespace ritzflow::spectrum {
namespace {

constexpr int64_t kElement = sizeof(double);

bool same_bits(const krylov::KrylovFactorization& a, const krylov::KrylovFactorization& b) {
  return a.columns == b.columns && a.beta == b.beta && a.spike == b.spike;
}

// Ritz vectors of both ends and copies among them, their products: beside the rows, wherever those lie.
int64_t other_bytes(const RitzContext& context) {
  return (2 * context.record.settings.k + 4) * context.record.n * kElement;
}

// Bytes of vectors beside the two of a product.
int64_t bytes_held(ReplayPlace where, int64_t rows, const RitzContext& context, int64_t batch) {
  const int64_t vector = context.record.n * kElement, k = context.record.settings.k;
  if (where == ReplayPlace::disk) return 0;
  if (where == ReplayPlace::ram) return rows + k * vector;
  return (std::min(batch, 2 * k) + k + 2) * vector;  // combinations under way, pairs, start and newest row
}

void require_two_pass(const krylov::Reorthogonalization& mode, const VectorSettings& settings) {
  if (krylov::reads_all_rows(mode)) {
    throw InputError("--basis none: mode " + krylov::mode_name(mode) +
                     " reads all its Lanczos vectors; --basis disk holds them out of memory");
  }
  if (settings.repeatability > 0) {
    throw Refusal(
        fmt::format("--basis none: products of this operator do not repeat their bits (repeatability {:.1e} "
                    "of its probes), and "
                    "vectors replayed without a basis would be worthless; hold them (--basis ram or disk), "
                    "or let lanczos keep "
                    "them (--keep-basis)",
                    settings.repeatability));
  }
}

// Where they are held, not auto.
ReplayPlace place(const RitzContext& context, bool stored, int64_t bytes, const VectorSettings& settings) {
  const krylov::Reorthogonalization mode = context.record.mode();
  const double gib = 1 << 30;
  const std::string sizes =
      fmt::format("{:.2f} GiB of Lanczos vectors, {:.2f} GiB of memory", static_cast<double>(bytes) / gib,
                  static_cast<double>(settings.memory) / gib);
  const bool fits = bytes + other_bytes(context) <= settings.memory;
  ReplayPlace chosen = settings.basis;
  if (chosen == ReplayPlace::automatic) {
    const bool replayable = !stored && !krylov::reads_all_rows(mode) && settings.repeatability == 0;
    chosen = fits ? ReplayPlace::ram : replayable ? ReplayPlace::none : ReplayPlace::disk;
    spdlog::info("basis {} (auto: {})", word(chosen), sizes);
  }
  if (chosen == ReplayPlace::none) require_two_pass(mode, settings);
  if (chosen == ReplayPlace::ram && !fits)
    throw Refusal("--basis ram: " + sizes + "; --basis disk holds them out of memory");
  if (chosen == ReplayPlace::disk && bytes + other_bytes(context) > settings.disk)
    throw Refusal(fmt::format("--basis disk: {}, and {:.2f} GiB are free on the disk", sizes,
                              static_cast<double>(settings.disk) / gib));
  return chosen;
}

}  // namespace

RitzVectors::RitzVectors(krylov::LinearOperator& op, const artifact::ArtifactReader& lanczos,
                         const VectorSettings& settings, RitzContext& context, const app::StageRun& stage) {
  const LanczosRecord& record = context.record;
  const krylov::KrylovFactorization& f = record.factorization;
  const int64_t n = op.dim();
  BasisPlan plan = {.size = basis_size(record.mode(), n, f.products, true),
                    .type = record.settings.dtype_basis};
  const bool stored = lanczos.has("basis");
  const int64_t row = n * krylov::element_bytes(plan.type);
  const int64_t rows = std::max(plan.size.expected, f.size()) * row;
  const ReplayPlace where = place(context, stored, rows, settings);
  if (where == ReplayPlace::disk) {
    plan.new_file = row_files(nullptr, stage.out);
    shelf_ = krylov::make_disk_basis(n, BasisType::float64, plan.new_file);
  }
  const int64_t batch = (settings.memory - other_bytes(context)) / (n * kElement);
  context.expected_memory =
      state_memory(settings.loaded, settings.products, bytes_held(where, rows, context, batch));
  context.basis_source = stored ? "stored" : "replayed";
  if (where == ReplayPlace::none) {
    start_ = lanczos.read<double>("start_vector");
    replay_in_two_passes(op, plan.type, batch, context, stage);
  } else if (stored) {
    rows_ = plan.make(n);
    append_rows(lanczos, "basis", *rows_);
  } else {
    replay(op, lanczos.read<double>("start_vector"), plan, context, stage);
  }
}

// The vectors that the run did not keep, by the same products from the same start; the bits are compared.
void RitzVectors::replay(krylov::LinearOperator& op, std::vector<double> start, const BasisPlan& plan,
                         RitzContext& context, const app::StageRun& stage) {
  LanczosRecord& record = context.record;
  const int64_t products = record.factorization.products;
  krylov::LanczosProcess process(op, start, record.mode(), static_cast<uint64_t>(record.settings.seed),
                                 plan.make(op.dim()));
  std::vector<double>().swap(start);
  app::Progress progress = stage.progress("replayed products", products);
  while (process.factorization().products < products && process.step()) {
    progress.update(process.factorization().products);
  }
  rows_ = process.take_basis();
  const krylov::KrylovFactorization& f = process.factorization();
  replayed_ = f.products;
  if (same_bits(f, record.factorization)) return;
  context.basis_source = "recomputed";
  spdlog::warn(
      "the replay differs from the stored run in its bits; the pairs come from the replay's own relation");
  record.factorization = f;
  record.factorization.residual_vector = std::vector<double>();
}

void RitzVectors::replay_in_two_passes(krylov::LinearOperator& op, BasisType type, int64_t batch,
                                       RitzContext& context, const app::StageRun& stage) {
  const LanczosRecord& record = context.record;
  const LanczosSettings& s = record.settings;
  const krylov::KrylovFactorization& f = record.factorization;
  context.basis_source = "two_pass";
  progress_ =
      std::unique_ptr<app::Progress>(new app::Progress(stage.progress("replayed products", f.products)));
  const auto walk = krylov::likely_walk(krylov::ritz_candidates(f, record.mode()), s.which, s.k);
  two_pass_ = std::make_unique<krylov::TwoPass>(
      op, krylov::RunOfRecord{f, start_, record.mode(), static_cast<uint64_t>(s.seed), type}, walk, batch,
      [this] { progress_->update(two_pass_->products()); });
}

const krylov::Combinations& RitzVectors::combinations() const {
  if (two_pass_) return *two_pass_;
  return *rows_;
}

int64_t RitzVectors::replay_calls() const { return two_pass_ ? two_pass_->products() : replayed_; }

}  // namespace ritzflow::spectrum
