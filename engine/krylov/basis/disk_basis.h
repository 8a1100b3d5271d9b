#pragma once
#include <functional>
#include <memory>

#include "krylov/basis/basis.h"
#include "krylov/basis/row_file.h"

namespace ritzflow::krylov {

/// A basis whose rows lie in a file one after the other, all of them, bit-identical to one in host memory.
///
/// A pass takes all rows piece by piece, a few MiB at a time for each thread, which is all the memory that
/// the basis needs whatever n and the number of rows. The system reads ahead on other pieces meanwhile, and
/// on the first ones while a product runs.
class DiskBasis : public Basis {
 public:
  /// The first `rows` rows that the file holds are those of the basis.
  virtual void adopt(int64_t rows) = 0;
};

/// `new_file` gives the file of the rows, and another one each time that they are compressed: the rows before
/// stay as they are for whoever holds their file.
std::unique_ptr<DiskBasis> make_disk_basis(int64_t n, BasisType type,
                                           std::function<std::unique_ptr<RowFile>()> new_file);

/// The same with rows in a file that exists; adopt() says how many.
std::unique_ptr<DiskBasis> open_disk_basis(int64_t n, BasisType type, std::unique_ptr<RowFile> file,
                                           std::function<std::unique_ptr<RowFile>()> new_file);

}  // namespace ritzflow::krylov
