#include "krylov/basis/disk_basis.h"

#include <tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <vector>

#include "core/gram.h"

namespace ritzflow::krylov {
namespace {

constexpr int64_t kPieceBytes = int64_t{1} << 21;     // of all rows: half of a second-level cache or less
constexpr int64_t kPieceOfRow = 16 * kChunk;          // elements of one row on its way to the file or back
constexpr int64_t kLeastPiece = 512;                  // elements of a row: a page
constexpr int64_t kAheadOfPass = int64_t{256} << 20;  // bytes read ahead while a product runs

template <class T>
std::span<const std::byte> bytes_of(const T* p, int64_t count) {
  return std::as_bytes(std::span(p, static_cast<size_t>(count)));
}
template <class T>
std::span<std::byte> writable_bytes_of(T* p, int64_t count) {
  return std::as_writable_bytes(std::span(p, static_cast<size_t>(count)));
}

// Where element t of row i lies.
template <class T>
int64_t place(int64_t n, int64_t i, int64_t t) {
  return (i * n + t) * int64_t{sizeof(T)};
}

template <class T>
class RowsOnDisk final : public RowSource<T> {
 public:
  RowsOnDisk(const RowFile& file, int64_t n, int64_t first, size_t count)
      : file_(file), n_(n), first_(first), count_(count) {
    const auto bytes = static_cast<int64_t>(std::max<size_t>(count, 1) * sizeof(T));
    const int64_t most = std::min(kChunk, (n + kLeastPiece - 1) / kLeastPiece * kLeastPiece);
    piece_ = std::clamp(kPieceBytes / bytes / kLeastPiece * kLeastPiece, kLeastPiece, most);
  }

  size_t size() const override { return count_; }
  int64_t piece() const override { return piece_; }

  BasicRows<T> load(int64_t first, int64_t last) const override {
    if (first % kChunk == 0) will_need(first + kChunk, 2 * kChunk);
    const Piece& piece = loaded(first, last);
    return BasicRows<T>(piece.rows.data(), count_);
  }

  // The same rows, to be changed.
  std::span<T* const> load_writable(int64_t first, int64_t last) const { return loaded(first, last).rows; }

  // Elements [first, first + count) of all rows, as far as there are.
  void will_need(int64_t first, int64_t count) const {
    count = std::min(count, n_ - first);
    for (size_t i = 0; count > 0 && i < count_; ++i) {
      file_.will_need(place<T>(n_, first_ + static_cast<int64_t>(i), first), count * int64_t{sizeof(T)});
    }
  }

 private:
  struct Piece {
    std::vector<T> elements;
    std::vector<T*> rows;
  };

  const Piece& loaded(int64_t first, int64_t last) const {
    Piece& piece = pieces_.local();
    if (piece.rows.empty()) {
      piece.elements.resize(static_cast<size_t>(piece_) * count_);
      for (size_t i = 0; i < count_; ++i)
        piece.rows.push_back(&piece.elements[i * static_cast<size_t>(piece_)]);
    }
    for (size_t i = 0; i < count_; ++i) {
      T* row = &piece.elements[i * static_cast<size_t>(piece_)];
      file_.read(place<T>(n_, first_ + static_cast<int64_t>(i), first), writable_bytes_of(row, last - first));
    }
    return piece;
  }

  const RowFile& file_;
  int64_t n_, first_;
  size_t count_;
  int64_t piece_;
  mutable tbb::enumerable_thread_specific<Piece> pieces_;
};

template <class T>
class RowsInFile final : public DiskBasis {
 public:
  RowsInFile(int64_t n, std::unique_ptr<RowFile> file, std::function<std::unique_ptr<RowFile>()> new_file)
      : n_(n), new_file_(std::move(new_file)), file_(std::move(file)) {}

  int64_t dim() const override { return n_; }
  int64_t size() const override { return size_; }
  int64_t first_kept() const override { return 0; }
  int64_t bytes() const override { return place<T>(n_, size_, 0); }
  RowFile* file() const override { return file_.get(); }
  void adopt(int64_t rows) override { size_ = rows; }

  void append(VectorView q) override {
    std::vector<T> piece;
    for_each_piece([&](int64_t first, int64_t count) {
      piece.resize(static_cast<size_t>(count));
      scatter(q.subspan(static_cast<size_t>(first), piece.size()), piece.data(), kLine);
      file_->write(place<T>(n_, size_, first), bytes_of(piece.data(), count));
    });
    ++size_;
    const RowsOnDisk<T> all = rows(0, static_cast<size_t>(size_));
    all.will_need(0, kAheadOfPass / std::max<int64_t>(1, place<T>(1, size_, 0)));
  }

  void copy_row(int64_t i, VectorSpan out) const override {
    std::vector<T> piece;
    for_each_piece([&](int64_t first, int64_t count) {
      piece.resize(static_cast<size_t>(count));
      file_->read(place<T>(n_, i, first), writable_bytes_of(piece.data(), count));
      gather(piece.data(), kLine, out.subspan(static_cast<size_t>(first), piece.size()));
    });
  }

  void dots(int64_t first, VectorView w, std::span<double> h) const override {
    ritzflow::dots<T>(rows(first, h.size()), w, h);
  }
  void subtract(int64_t first, std::span<const double> c, VectorSpan w) const override {
    ritzflow::subtract<T>(rows(first, c.size()), c, w);
  }
  double subtract_then_dots(int64_t first, std::span<const double> c, VectorSpan w,
                            std::span<double> g) const override {
    return ritzflow::subtract_then_dots<T>(rows(first, c.size()), c, w, g);
  }
  void combine(int64_t first, std::span<const double> c, VectorSpan out) const override {
    ritzflow::combine<T>(rows(first, c.size()), c, out);
  }

  std::vector<double> gram() const override {
    return ritzflow::gram<T>(rows(0, static_cast<size_t>(size_)), n_);
  }

  void compress(const Eigen::MatrixXd& s) override {
    const RowsOnDisk<T> old = rows(0, static_cast<size_t>(size_));
    auto next = new_file_();
    for_each_chunk(n_, [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; t += old.piece()) {
        const int64_t end = std::min(last, t + old.piece());
        const std::span<T* const> piece = old.load_writable(t, end);
        recombine<T>(piece, kLine, {s.data(), static_cast<size_t>(s.size())}, end - t);
        for (int64_t i = 0; i < s.cols(); ++i) {
          next->write(place<T>(n_, i, t), bytes_of(piece[static_cast<size_t>(i)], end - t));
        }
      }
    });
    file_ = std::move(next);
    size_ = s.cols();
  }

 private:
  RowsOnDisk<T> rows(int64_t first, size_t count) const { return {*file_, n_, first, count}; }

  // A row piece by piece: no second vector of length n is held on its way to the file or back.
  template <class Body>
  void for_each_piece(const Body& body) const {
    for (int64_t first = 0; first < n_; first += kPieceOfRow) body(first, std::min(kPieceOfRow, n_ - first));
  }

  int64_t n_, size_ = 0;
  std::function<std::unique_ptr<RowFile>()> new_file_;
  std::unique_ptr<RowFile> file_;
};

}  // namespace

std::unique_ptr<DiskBasis> open_disk_basis(int64_t n, BasisType type, std::unique_ptr<RowFile> file,
                                           std::function<std::unique_ptr<RowFile>()> new_file) {
  if (type == BasisType::float32)
    return std::make_unique<RowsInFile<float>>(n, std::move(file), std::move(new_file));
  return std::make_unique<RowsInFile<double>>(n, std::move(file), std::move(new_file));
}

std::unique_ptr<DiskBasis> make_disk_basis(int64_t n, BasisType type,
                                           std::function<std::unique_ptr<RowFile>()> new_file) {
  auto file = new_file();
  return open_disk_basis(n, type, std::move(file), std::move(new_file));
}

}  // namespace ritzflow::krylov
