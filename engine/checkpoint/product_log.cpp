#include "checkpoint/product_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "app/stage.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::checkpoint {
namespace {

constexpr const char* kFormat = "ritzflow-products";
constexpr size_t kMostHeld = size_t{1} << 25;  // elements of products in memory before a segment is due

}  // namespace

// Products first .. first + digests.size() - 1; the file is opened when its first one is asked for.
struct ProductLog::Recorded {
  std::filesystem::path path;
  int64_t first;
  std::vector<std::string> digests;
  std::unique_ptr<artifact::ArtifactReader> file = nullptr;
};

ProductLog::ProductLog(krylov::LinearOperator& op, SegmentFolder* folder) : operator_(op), folder_(folder) {
  if (folder_ == nullptr) return;
  folder_->read(kFormat, [&](const artifact::ArtifactReader& file) {
    Recorded segment{file.path(), file.attribute<int64_t>("first_product"),
                     file.read<std::string>("vectors_sha256")};
    if (segment.first != saved_)
      throw InputError(file.path().string() + ": an earlier segment is missing or damaged");
    if (file.shape("products")[1] != op.dim())
      throw InputError(file.path().string() + ": products have another dimension than the operator");
    saved_ += static_cast<int64_t>(segment.digests.size());
    recorded_.push_back(std::move(segment));
  });
  if (saved_ > 0) spdlog::info("resuming after product {} from {}", saved_, folder_->folder().string());
}

ProductLog::~ProductLog() = default;

void ProductLog::apply(VectorView v, VectorSpan out) {
  if (folder_ == nullptr) {
    operator_.apply(v, out);
  } else {
    const std::string digest = sha256_hex(std::as_bytes(v));
    if (!replay(digest, out)) {
      operator_.apply(v, out);
      record(digest, out);
    }
  }
  ++next_;
  if (!app::stop_requested()) return;
  flush();
  stop_by_signal(folder_, fmt::format("{} products", next_));
}

bool ProductLog::replay(const std::string& digest, VectorSpan out) {
  while (!recorded_.empty()) {
    Recorded& segment = recorded_.front();
    const auto row = static_cast<size_t>(next_ - segment.first);
    if (row == segment.digests.size()) {
      recorded_.erase(recorded_.begin());
      continue;
    }
    if (segment.digests[row] != digest) {
      spdlog::warn("product {} was recorded for another vector; it and all later ones are recomputed", next_);
      recorded_.clear();
      saved_ = next_;
      return false;
    }
    if (!segment.file) segment.file = std::make_unique<artifact::ArtifactReader>(segment.path, kFormat);
    segment.file->read_rows<double>("products", static_cast<int64_t>(row), 1, out);
    return true;
  }
  return false;
}

void ProductLog::record(const std::string& digest, VectorView product) {
  digests_.push_back(digest);
  rows_.insert(rows_.end(), product.begin(), product.end());
  if (folder_->due() || rows_.size() >= kMostHeld) flush();
}

void ProductLog::flush() {
  if (digests_.empty()) return;
  const auto count = static_cast<int64_t>(digests_.size());
  folder_->write(saved_ + count, kFormat, [&](artifact::ArtifactWriter& file) {
    file.attribute("first_product", saved_);
    file.strings("vectors_sha256", digests_);
    file.dataset("products", rows_, {count, dim()});
  });
  saved_ += count;
  digests_.clear();
  // Not {}, which keeps the memory: one may be a gigabyte, and the next product needs the room.
  rows_ = std::vector<double>();
}

}  // namespace ritzflow::checkpoint
