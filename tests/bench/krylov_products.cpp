// Products that mode `full` and `thick_restart` need for the top k, for tests/bench/arpack_products.py.
//   krylov_products spectrum NAME
//   krylov_products run NAME KRYLOV_DIM SEEDS   (KRYLOV_DIM 0: unrestarted `full`)
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "../engine/krylov/problems.h"
#include "krylov/lanczos.h"

namespace ritzflow {
namespace {

krylov::Problem find_problem(const std::string& name) {
  for (const krylov::Problem& problem :
       {krylov::clusters(), krylov::marchenko_pastur(), krylov::psd_curvature(), krylov::indefinite(),
        krylov::power_law(1), krylov::power_law(2), krylov::laplacian_2d(31, 37)}) {
    if (problem.name == name) return problem;
  }
  throw std::runtime_error("no problem '" + name + "'");
}

int64_t products(const krylov::Problem& problem, int64_t krylov_dim, uint64_t seed) {
  const krylov::LanczosOptions options = {.k = 10, .max_iters = 20000, .tol = 1e-8};
  krylov::Reorthogonalization mode = krylov::Full{};
  if (krylov_dim > 0) mode = krylov::ThickRestart{.krylov_dim = krylov_dim, .k = options.k};
  const auto op = problem.make();
  krylov::LanczosProcess process(*op, krylov::random_start(op->dim(), seed), mode, seed);
  krylov::run_lanczos(process, mode, options, [](const krylov::LanczosOutcome&) { return true; });
  return process.factorization().products;
}

void run(int argc, char** argv) {
  if (argc < 3) throw std::runtime_error("usage: krylov_products spectrum NAME | run NAME KRYLOV_DIM SEEDS");
  const krylov::Problem problem = find_problem(argv[2]);
  if (std::string(argv[1]) == "spectrum") {
    for (double value : problem.spectrum) std::printf("%.17g\n", value);
    return;
  }
  for (uint64_t seed = 0; seed < std::strtoull(argv[4], nullptr, 10); ++seed) {
    std::printf("%ld\n", static_cast<long>(products(problem, std::atol(argv[3]), seed)));
  }
}

}  // namespace
}  // namespace ritzflow

int main(int argc, char** argv) {
  try {
    ritzflow::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
  return 0;
}
