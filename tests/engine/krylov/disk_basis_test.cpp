#include "krylov/basis/disk_basis.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <tbb/global_control.h>

#include <csignal>
#include <fstream>

#include "core/error.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLong = 2 * 65536 + 4097;  // chunks, pieces and a tail shorter than a line

class DiskBasisTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ritzflow_basis_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::function<std::unique_ptr<RowFile>()> files() {
    return [this] { return RowFile::create(folder_ / ("rows-" + std::to_string(next_++))); };
  }
  std::unique_ptr<DiskBasis> on_disk(int64_t n, BasisType type = BasisType::float64) {
    return make_disk_basis(n, type, files());
  }
  size_t files_left() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
  int next_ = 0;
};

// Outliers over a bulk: orthogonality is at risk within the steps that the tests make.
std::unique_ptr<DiagonalOperator> outliers(int64_t n) {
  Spectrum spectrum = geomspace(1, 200, 10);
  for (int64_t i = 10; i < n; ++i) spectrum.push_back(0.05 * static_cast<double>(i) / static_cast<double>(n));
  return std::make_unique<DiagonalOperator>(std::move(spectrum));
}

LanczosProcess run(LinearOperator& op, const Reorthogonalization& mode, std::unique_ptr<Basis> basis,
                   int64_t steps) {
  LanczosProcess process(op, random_start(op.dim(), 7), mode, 7, std::move(basis));
  while (process.factorization().products < steps && process.step()) {
  }
  return process;
}

TEST_F(DiskBasisTest, HasTheBitsOfHostMemoryInEveryModeForAnyNumberOfThreads) {
  const auto op = outliers(kLong);
  for (const Reorthogonalization& mode : std::vector<Reorthogonalization>{
           Off{}, Window{8, 5}, Full{}, Partial{}, ParlettScott{}, ThickRestart{.krylov_dim = 12, .k = 4}}) {
    for (BasisType type : {BasisType::float64, BasisType::float32}) {
      const auto ram = run(*op, mode, make_ram_basis(kLong, {}, type), 26);
      for (size_t threads : {1, 2}) {
        const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
        const auto disk = run(*op, mode, on_disk(kLong, type), 26);
        EXPECT_EQ(disk.factorization().columns, ram.factorization().columns) << mode_name(mode);
        EXPECT_EQ(disk.factorization().beta, ram.factorization().beta) << mode_name(mode);
        EXPECT_EQ(disk.factorization().residual_vector, ram.factorization().residual_vector);
        ASSERT_EQ(disk.basis().size(), ram.basis().size());
        for (int64_t i : {int64_t{0}, ram.basis().size() - 1})
          EXPECT_EQ(disk.basis().row(i), ram.basis().row(i));
      }
    }
  }
}

TEST_F(DiskBasisTest, CombinationsAndGramMatrixHaveTheBitsOfHostMemory) {
  const auto op = outliers(kLong);
  const auto ram = run(*op, Full{}, make_ram_basis(kLong), 9), disk = run(*op, Full{}, on_disk(kLong), 9);
  const std::vector<double> c = {0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7};
  std::vector<double> x(kLong), y(kLong);
  ram.basis().combine(1, c, x);
  disk.basis().combine(1, c, y);
  EXPECT_EQ(x, y);
  const std::vector<double> gram = ram.basis().gram();
  EXPECT_EQ(disk.basis().gram(), gram);
  std::vector<double> last(9);
  ram.basis().dots(0, ram.basis().row(8), last);
  EXPECT_EQ(std::vector<double>(gram.end() - 9, gram.end()), last);
}

int64_t peak_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "VmHWM:" && status >> word) return std::stoll(word);
  }
  return 0;
}

TEST_F(DiskBasisTest, MemoryDoesNotGrowWithTheBasis) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the peak has ThreadSanitizer's own memory in it";
#endif
  constexpr int64_t n = 1 << 20, rows = 24;
  const auto op = outliers(n);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
  const int64_t before = peak_kib();
  const auto process = run(*op, Full{}, on_disk(n), rows);
  EXPECT_EQ(process.basis().bytes(), rows * n * 8);
  // The vector in flight, the newest row, its copies; a few MiB for each thread.
  EXPECT_LT(peak_kib() - before, 6 * n * 8 / 1024 + 32 * 1024);
}

TEST_F(DiskBasisTest, NothingIsLeftOfFilesThatNobodyKeeps) {
  const auto op = outliers(500);
  {
    const auto process = run(*op, ThickRestart{.krylov_dim = 12, .k = 4}, on_disk(500), 40);
    EXPECT_EQ(files_left(), 1);
    EXPECT_GT(next_, 2);  // one a restart
  }
  EXPECT_EQ(files_left(), 0);
  const auto unnamed = RowFile::create_unnamed(folder_ / "scratch");
  EXPECT_EQ(files_left(), 0);
}

TEST_F(DiskBasisTest, KeptRowsStayAsTheyAreWhenTheBasisIsCompressed) {
  const auto op = outliers(500);
  auto basis = on_disk(500);
  for (int i = 0; i < 3; ++i) basis->append(random_start(500, static_cast<uint64_t>(i)));
  const std::vector<double> first = basis->row(0);
  basis->file()->keep();
  const fs::path kept = basis->file()->path();
  basis->compress(Eigen::MatrixXd::Ones(3, 1));
  EXPECT_NE(basis->file()->path(), kept);
  auto again = open_disk_basis(500, BasisType::float64, RowFile::open(kept), files());
  again->adopt(3);
  EXPECT_EQ(again->row(0), first);
}

TEST_F(DiskBasisTest, FullDiskAndFolderThatIsNoneAreIoErrorsThatNameTheFile) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  rlimit limit = unlimited;
  limit.rlim_cur = 3 * 500 * 8 + 100;
  auto basis = on_disk(500);
  setrlimit(RLIMIT_FSIZE, &limit);
  for (int i = 0; i < 3; ++i) basis->append(random_start(500, 1));
  std::string said;
  try {
    basis->append(random_start(500, 1));
  } catch (const IoError& error) {
    said = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &unlimited);
  EXPECT_NE(said.find("rows-0: Lanczos vectors on disk cannot be written: File too large"),
            std::string::npos);
  EXPECT_THROW(RowFile::create(folder_ / "none" / "rows"), IoError);
}

TEST_F(DiskBasisTest, FileThatWasCutIsAnIoError) {
  auto basis = on_disk(500);
  basis->append(random_start(500, 1));
  fs::resize_file(basis->file()->path(), 100);
  EXPECT_THROW(basis->row(0), IoError);
}

// A q_j of the rows as they are stored; what storing q_(j+1) rounds away is at most 2^-24 beta_j.
TEST(BasisInFloat32, IdentityHoldsToTheRoundingOfStoredRowsInEveryMode) {
  for (const Problem& problem : standard_problems()) {
    for (const Reorthogonalization& mode :
         std::vector<Reorthogonalization>{Off{}, Full{}, Partial{0x1p-24}, ThickRestart{}}) {
      const auto op = problem.make();
      const int64_t n = op->dim();
      const auto process = run(*op, mode, make_ram_basis(n, {}, BasisType::float32), 60);
      EXPECT_LE(identity_defect(*op, process.factorization(), process.basis()), 0x1p-23 * problem.norm())
          << problem.name << " " << mode_name(mode);
    }
  }
}

TEST(BasisInFloat32, FullKeepsOrthogonalityToTheRoundingOfStoredRows) {
  for (const Problem& problem : standard_problems()) {
    const auto op = problem.make();
    const auto process = run(*op, Full{}, make_ram_basis(op->dim(), {}, BasisType::float32), 60);
    for (double loss : orthogonality(process.basis())) EXPECT_LE(loss, 0x1p-23) << problem.name;
  }
}

TEST(BasisInFloat32, HoldsHalfTheBytes) {
  const auto op = outliers(500);
  EXPECT_EQ(run(*op, Full{}, make_ram_basis(500, {}, BasisType::float32), 9).basis().bytes(), 9 * 500 * 4);
}

}  // namespace
}  // namespace ritzflow::krylov
