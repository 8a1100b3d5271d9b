#include "core/fault.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <vector>

/// As LibTorch's: a message, and below it where it was thrown.
namespace c10 {
class Error : public std::exception {
 public:
  explicit Error(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};
}  // namespace c10

namespace ritzflow {
namespace {

template <class Work>
Fault fault_of(const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return described(error);
  }
  return {ExitCode::done, ""};
}

TEST(Faults, OwnErrorsKeepTheirWordsAndTheirStatus) {
  const Fault fault = fault_of([] { throw Refusal("no\nroom"); });
  EXPECT_EQ(fault.code, ExitCode::refused);
  EXPECT_EQ(fault.text, "no room");
}

TEST(Faults, FilesAreNamedWithTheSystemsReason) {
  const Fault fault = fault_of([] { static_cast<void>(std::filesystem::file_size("/no/such/file")); });
  EXPECT_EQ(fault.code, ExitCode::failure);
  EXPECT_EQ(fault.text, "/no/such/file: No such file or directory");
}

TEST(Faults, SizesBeyondMemoryAreWantOfMemory) {
  for (const Fault& fault :
       {fault_of([] { throw std::bad_alloc(); }), fault_of([] { std::vector<double>().resize(SIZE_MAX); }),
        fault_of([] { throw c10::Error("DefaultCPUAllocator: not enough memory: x"); })}) {
    EXPECT_EQ(fault.code, ExitCode::refused);
    EXPECT_TRUE(fault.text.starts_with("out of memory: ")) << fault.text;
  }
}

TEST(Faults, NoStackOfLibTorchReachesTheUser) {
  const Fault fault =
      fault_of([] { throw c10::Error("index out of range in self\nException raised from f"); });
  EXPECT_EQ(fault.code, ExitCode::failure);
  EXPECT_EQ(fault.text, "LibTorch cannot do what this command asks of it: index out of range in self");
}

TEST(Faults, OfTheProgramItselfAreCalledSo) {
  const Fault fault = fault_of([] { static_cast<void>(std::vector<int>().at(0)); });
  EXPECT_EQ(fault.code, ExitCode::failure);
  EXPECT_TRUE(fault.text.starts_with("a fault of this program, not of its input: vector::")) << fault.text;
}

TEST(Faults, WhatFailsInOneFileIsALineAndLackOfMemoryGoesOn) {
  EXPECT_EQ(failure([] {}), "");
  EXPECT_EQ(failure([] { throw InputError("a.h5: is damaged"); }), "a.h5: is damaged");
  EXPECT_THROW(failure([] { throw std::bad_alloc(); }), std::bad_alloc);
}

}  // namespace
}  // namespace ritzflow
