#include <sys/wait.h>

#include <random>

#include "artifact/validate.h"
#include "fixture.h"

namespace ritzflow::artifact {
namespace {

using Damage = ArtifactTest;

enum class Outcome { read, refused, crashed };

// Reads everything in a child process, so that a crash is an outcome and not the end of the test.
Outcome read_in_child(const std::filesystem::path& path) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      const ArtifactReader reader(path, "ritzflow-lanczos");
      reader.read<double>("H");
      reader.read<double>("basis");
      _exit(0);
    } catch (const InputError& error) {
      _exit(std::string(error.what()).starts_with(path.string() + ": ") ? 2 : 9);
    } catch (...) {
      _exit(9);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 9) return Outcome::crashed;
  return WEXITSTATUS(status) == 0 ? Outcome::read : Outcome::refused;
}

std::string flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

TEST_F(Damage, EveryFlippedBitIsRefusedWhereTheFileHasADigest) {
  write_lanczos(file("good.h5"));
  const std::string good = bytes_of(file("good.h5"));
  for (std::size_t byte = 0; byte < good.size(); byte += byte < 1024 ? 3 : 29) {
    put_bytes(file("bad.h5"), flipped(good, 8 * byte + byte % 8));
    ASSERT_NE(input_error([&] { ArtifactReader(file("bad.h5"), "ritzflow-lanczos"); }), "")
        << "byte " << byte;
  }
}

TEST_F(Damage, EveryTruncationIsRefused) {
  write_lanczos(file("good.h5"));
  const std::string good = bytes_of(file("good.h5"));
  for (std::size_t size = 0; size < good.size(); size += size < 600 ? 37 : 211) {
    put_bytes(file("bad.h5"), good.substr(0, size));
    ASSERT_NE(input_error([&] { ArtifactReader(file("bad.h5"), "ritzflow-lanczos"); }), "")
        << "size " << size;
  }
  put_bytes(file("bad.h5"), good + "x");
  EXPECT_NE(input_error([&] { ArtifactReader(file("bad.h5"), "ritzflow-lanczos"); }), "");
}

// The file as a user's h5py script would leave it, with or without its content_sha256.
std::string without_block(const std::filesystem::path& path) {
  return bytes_of(path).replace(0, 512, std::string(512, '\0'));
}

TEST_F(Damage, FlippedBitsWithoutUserBlockAreCaughtByTheContentDigestAndNeverCrash) {
  write_lanczos(file("good.h5"));
  const std::string good = without_block(file("good.h5"));
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::size_t bit = 8 * 512 + random() % (8 * (good.size() - 512));
    put_bytes(file("bad.h5"), flipped(good, bit));
    ASSERT_NE(read_in_child(file("bad.h5")), Outcome::crashed) << "bit " << bit;
  }
}

TEST_F(Damage, FlippedBitsWithoutAnyDigestNeverCrash) {
  write_lanczos(file("good.h5"));
  edit(file("good.h5"), [](hid_t) {});
  const std::string good = bytes_of(file("good.h5"));
  std::mt19937 random(2);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    const std::size_t bit = 8 * 512 + random() % (8 * (good.size() - 512));
    put_bytes(file("bad.h5"), flipped(good, bit));
    const Outcome outcome = read_in_child(file("bad.h5"));
    ASSERT_NE(outcome, Outcome::crashed) << "bit " << bit;
    refused += outcome == Outcome::refused ? 1 : 0;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(Damage, TruncationWithoutAnyDigestIsRefusedAndNeverCrashes) {
  write_lanczos(file("good.h5"));
  edit(file("good.h5"), [](hid_t) {});
  const std::string good = bytes_of(file("good.h5"));
  for (std::size_t size = 0; size + 1 < good.size(); size += 173) {
    put_bytes(file("bad.h5"), good.substr(0, size));
    ASSERT_EQ(read_in_child(file("bad.h5")), Outcome::refused) << "size " << size;
  }
}

TEST_F(Damage, ADatasetLargerThanTheFileIsRefusedBeforeMemoryIsTaken) {
  write_lanczos(file("x.h5"));
  edit(file("x.h5"), [](hid_t id) {
    const hsize_t dims[2] = {hsize_t{1} << 20, hsize_t{1} << 20};
    const hid_t space = H5Screate_simple(2, dims, nullptr);
    H5Dclose(H5Dcreate2(id, "huge", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
  });
  const std::string error = input_error([&] { ArtifactReader(file("x.h5"), "ritzflow-lanczos"); });
  EXPECT_NE(error.find("dataset '/huge' claims shape [1048576, 1048576], more than the file's"),
            std::string::npos)
      << error;
}

TEST_F(Damage, TextAndFoldersAndMissingFilesAreNamed) {
  put_bytes(file("text.h5"), "not HDF5 at all");
  EXPECT_EQ(input_error([&] { ArtifactReader(file("text.h5"), "ritzflow-lanczos"); }),
            file("text.h5").string() + ": is not an HDF5 file, or its beginning is damaged");
  EXPECT_EQ(input_error([&] { ArtifactReader(file("absent.h5"), "ritzflow-lanczos"); }),
            file("absent.h5").string() + ": no such file");
  EXPECT_EQ(input_error([&] { ArtifactReader(folder_, "ritzflow-lanczos"); }),
            folder_.string() + ": is a folder, expected an HDF5 file");
}

}  // namespace
}  // namespace ritzflow::artifact
