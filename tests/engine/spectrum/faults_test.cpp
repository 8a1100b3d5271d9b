// Faults at every write, truncation, fsync and rename of a run that checkpoints: this program's own
// definitions of these calls stand before those of the C library, for libhdf5 and the streams of C++, too.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "artifact/digest/file_digest.h"
#include "core/error.h"
#include "core/philox.h"
#include "spectrum/lanczos_checkpoint.h"
#include "spectrum/lanczos_file.h"
#include "stage_testing.h"

namespace {

enum class Fault { none, kill, disk_full, io_error };

Fault fault = Fault::none;
int countdown = 0;  // calls until the fault
int calls = 0;

// Whether this call fails; the process ends here where the fault is a kill.
bool fails() {
  ++calls;
  if (fault == Fault::none || --countdown > 0) return false;
  if (fault == Fault::kill) raise(SIGKILL);
  errno = fault == Fault::disk_full ? ENOSPC : EIO;
  return true;  // and so do all that follow: a full disk stays full
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
ssize_t write(int fd, const void* data, size_t size) {
  if (fd > STDERR_FILENO && fails()) return -1;
  return next<ssize_t(int, const void*, size_t)>("write")(fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return fails() ? -1 : next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return fails() ? -1 : next<ssize_t(int, const void*, size_t, off_t)>("pwrite64")(fd, data, size, offset);
}
int ftruncate(int fd, off_t size) noexcept {
  return fails() ? -1 : next<int(int, off_t)>("ftruncate")(fd, size);
}
int ftruncate64(int fd, off_t size) noexcept {
  return fails() ? -1 : next<int(int, off_t)>("ftruncate64")(fd, size);
}
int fsync(int fd) { return fails() ? -1 : next<int(int)>("fsync")(fd); }
int rename(const char* from, const char* to) noexcept {
  return fails() ? -1 : next<int(const char*, const char*)>("rename")(from, to);
}
int unlink(const char* path) noexcept {
  // A full disk does not keep files from being removed.
  return fault == Fault::kill && fails() ? -1 : next<int(const char*)>("unlink")(path);
}
}

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int64_t kDimension = 20, kProducts = 6;
constexpr int kSystemError = 42;

/// diag(1, 1/2, 1/3, ...).
class Harmonic : public krylov::LinearOperator {
 public:
  int64_t dim() const override { return kDimension; }
  void apply(VectorView v, VectorSpan out) override {
    for (size_t i = 0; i < v.size(); ++i) out[i] = v[i] / static_cast<double>(i + 1);
  }
};

// The basis in host memory, or on disk.
class Faults : public StageTest, public testing::WithParamInterface<bool> {
 protected:
  const bool on_disk_ = GetParam();

  fs::path out() const { return folder_ / "lanczos.h5"; }
  fs::path root() const { return folder_ / "checkpoint"; }

  /// A run of six products, a segment behind each, an artifact at the end: what the stage lanczos does.
  void run() const {
    Harmonic op;
    checkpoint::SegmentFolder segments(root(), "lanczos", {{"seed", 0}}, 0s);
    const BasisPlan plan = {.size = {}, .new_file = on_disk_ ? row_files(&segments, out()) : nullptr};
    LanczosCheckpoint checkpoint(segments, plan);
    LanczosRecord record;
    record.settings.max_iters = kProducts;
    record.reorth_mode = ReorthMode::full;
    record.n = kDimension;
    const std::vector<double> start = random_start(kDimension, 0);
    auto state = checkpoint.load(kDimension);
    auto process = state ? krylov::LanczosProcess(op, krylov::Full{}, 0, std::move(state->factorization),
                                                  std::move(state->basis))
                         : krylov::LanczosProcess(op, start, krylov::Full{}, 0, plan.make(kDimension));
    while (process.factorization().size() < kProducts) {
      process.step();
      checkpoint.save(process);
    }
    record.factorization = process.factorization();
    write_lanczos(out(), record, start, &process.basis(), {{"host", "here"}});
    segments.retire(out());
  }

  /// Runs in a child whose call number `at` fails. Gives the calls it made where it lived, -1 where it was
  /// killed, -2 where it ended with an IoError.
  int run_with(Fault kind, int at) const {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      fault = kind;
      countdown = at;
      calls = 0;
      int status = 0;
      try {
        run();
      } catch (const IoError&) {
        status = kSystemError;
      } catch (...) {
        status = 1;
      }
      fault = Fault::none;
      const int made = calls;
      _exit(write(ends[1], &made, sizeof made) == sizeof made ? status : 1);
    }
    close(ends[1]);
    int made = 0, status = 0;
    const bool lived = read(ends[0], &made, sizeof made) == sizeof made;
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!lived) return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? -1 : -3;
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == 0 ? made : WEXITSTATUS(status) == kSystemError ? -2 : -3;
  }

  /// Every file that carries the name of an artifact or a segment is whole.
  void expect_whole_files(int at) const {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.path().extension() == ".h5") {
        EXPECT_NO_THROW(artifact::check_user_block(entry.path())) << "call " << at << ": " << entry.path();
      }
    }
  }

  void expect_same_bits_at_every_call(Fault kind, int outcome) {
    const int total = run_with(Fault::none, 0);
    ASSERT_GT(total, 50);
    const std::string digest = artifact::ArtifactReader(out(), "ritzflow-lanczos").content_sha256();
    for (int at = 1; at <= total; ++at) {
      fs::remove_all(root());
      fs::remove(out());
      const int ended = run_with(kind, at);
      ASSERT_TRUE(ended == outcome || ended > 0) << "call " << at << " of " << total << ": " << ended;
      expect_whole_files(at);
      ASSERT_GT(run_with(Fault::none, 0), 0) << "call " << at;
      ASSERT_EQ(artifact::ArtifactReader(out(), "ritzflow-lanczos").content_sha256(), digest)
          << "call " << at;
      ASSERT_FALSE(fs::exists(root())) << "call " << at;
    }
  }
};

TEST_P(Faults, KillAtAnyCallLeavesTheOldStateOrTheNewOne) { expect_same_bits_at_every_call(Fault::kill, -1); }

TEST_P(Faults, FullDiskAtAnyCallIsAnIoErrorAndTheLastGoodStateRemains) {
  expect_same_bits_at_every_call(Fault::disk_full, -2);
}

TEST_P(Faults, FailedDiskAtAnyCallIsAnIoErrorAndTheLastGoodStateRemains) {
  expect_same_bits_at_every_call(Fault::io_error, -2);
}

INSTANTIATE_TEST_SUITE_P(Basis, Faults, testing::Bool(),
                         [](const auto& on_disk) { return on_disk.param ? "disk" : "ram"; });

}  // namespace
}  // namespace ritzflow::spectrum
