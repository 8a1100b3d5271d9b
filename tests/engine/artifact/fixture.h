#pragma once
#include <gtest/gtest.h>
#include <hdf5.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "core/error.h"

namespace ritzflow::artifact {

/// A test with an empty folder of its own.
class ArtifactTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("ritzflow-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// The message of the InputError that `action` throws; empty if it throws none.
inline std::string input_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

/// Fills a small, valid lanczos file of m = 3, n = 4 with a basis.
inline void fill_lanczos(ArtifactWriter& writer, const char* requested = "full") {
  writer.attribute("reorth_mode", "full");
  if (requested != nullptr) writer.attribute("reorth_mode_requested", requested);
  writer.attribute("reorth_reason", "asked for");
  for (const char* name : {"iterations", "operator_calls"}) writer.attribute(name, 3);
  writer.attribute("certificate_calls", 0);
  writer.dataset("H", std::vector<double>{1, .5, 0, .5, 2, .25, 0, .25, 3}, {3, 3});
  writer.dataset("alpha", std::vector<double>{1, 2, 3});
  writer.dataset("beta", std::vector<double>{.5, .25, .125});
  writer.dataset("start_vector", std::vector<double>{1, 0, 0, 0});
  auto basis = writer.rows<double>("basis", 3, 4);
  for (int i = 0; i < 3; ++i)
    basis.append(std::vector<double>{i == 0 ? 1. : 0, i == 1 ? 1. : 0, i == 2 ? 1. : 0, 0});
}

inline std::string write_lanczos(const std::filesystem::path& path, const std::string& host = "here") {
  ArtifactWriter writer(path, "ritzflow-lanczos");
  fill_lanczos(writer);
  writer.provenance({{"host", host}, {"threads", 2}, {"settings", {{"k", 1}}}});
  return writer.commit();
}

/// Changes a file with libhdf5 and takes its digests away, as a user's own script would make one.
inline void edit(const std::filesystem::path& path, const std::function<void(hid_t)>& change) {
  std::string bytes = bytes_of(path);
  bytes.replace(0, 512, std::string(512, '\0'));
  put_bytes(path, bytes);
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(id, 0);
  H5Adelete(id, "content_sha256");
  change(id);
  H5Fclose(id);
}

/// Replaces a dataset by zeros of another type and shape.
inline void replace_dataset(hid_t id, const char* path, hid_t type, std::vector<hsize_t> dims) {
  H5Ldelete(id, path, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t dataset = H5Dcreate2(id, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const std::vector<char> zeros(1024, 0);
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
  H5Dclose(dataset);
  H5Sclose(space);
}

inline void replace_text_attribute(hid_t id, const char* name, const std::string& text) {
  H5Adelete(id, name);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, text.size() + 3);  // fixed length with padding, as numpy bytes
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  std::string padded = text + std::string(3, '\0');
  H5Awrite(attribute, type, padded.data());
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

}  // namespace ritzflow::artifact
