// time-products operator.h5 out.h5 rounds: the seconds of a product, for side-by-side runs with other
// programs. out.h5 holds `vector` [n], its `product` [n], and `seconds` [rounds] of the processor, one
// thread.
#include <hdf5.h>
#include <tbb/global_control.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "artifact/hdf5/handle.h"
#include "core/error.h"
#include "core/philox.h"
#include "curvature/operator_file.h"

namespace {

using namespace ritzflow;

void write(const artifact::Handle& file, const char* name, const std::vector<double>& values) {
  const hsize_t size = values.size();
  const artifact::Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
  const artifact::Handle set(
      H5Dcreate2(file.get(), name, H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose);
  if (H5Dwrite(set.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    throw IoError(std::string(name) + ": cannot be written");
  }
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("error: usage: time-products operator.h5 out.h5 rounds\n", stderr);
    return 2;
  }
  try {
    const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
    const curvature::OpenOperator opened = curvature::open_operator(argv[1]);
    std::vector<double> v(static_cast<size_t>(opened.op->dim())), product(v.size()), seconds;
    Philox(0, "time-products", "vector").fill_normal(v);
    opened.op->apply(v, product);  // fills what is kept between products
    for (int round = 0; round < std::atoi(argv[3]); ++round) {
      const double start = processor_seconds();
      opened.op->apply(v, product);
      seconds.push_back(processor_seconds() - start);
    }
    const artifact::Handle file(H5Fcreate(argv[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    write(file, "vector", v);
    write(file, "product", product);
    write(file, "seconds", seconds);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
