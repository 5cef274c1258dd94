// Eigen's row-major sparse matrix times a row-major dense one: sparse N COLUMNS SPARSITY BATCHES
#include "timing.hpp"

#include <cstdlib>

#if defined(RLCOMPRESS_BENCH_EIGEN)
#include <Eigen/Dense>
#include <Eigen/Sparse>

#include <random>

namespace {

using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor>;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Sparse random_matrix(int n, double sparsity) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform;
  std::normal_distribution<float> normal;
  std::vector<Eigen::Triplet<float>> entries;
  for (int row = 0; row < n; ++row) {
    for (int column = 0; column < n; ++column) {
      if (uniform(random) >= sparsity) entries.emplace_back(row, column, normal(random));
    }
  }
  Sparse matrix(n, n);
  matrix.setFromTriplets(entries.begin(), entries.end());
  matrix.makeCompressed();
  return matrix;
}

template <class Operand>
void measure(const Sparse& matrix, Operand x, int batches) {
  Operand y = x;
  const auto run = [&](std::size_t calls) {
    for (std::size_t i = 0; i < calls; ++i) {
      y.noalias() = matrix * x;
      bench::touch_memory();
    }
  };
  run(1);
  const auto answer = (matrix.template cast<double>() * x.template cast<double>()).eval();
  const double error = (y.template cast<double>() - answer).cwiseAbs().maxCoeff() / answer.cwiseAbs().maxCoeff();
  if (!(error < 1e-4)) {
    bench::report_missing("Eigen", "wrong: relative error " + std::to_string(error));
  } else {
    bench::time_in_turns({{"Eigen", run}}, batches, 100.0);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  const int n = std::atoi(arguments[1]), columns = std::atoi(arguments[2]);
  const Sparse matrix = random_matrix(n, std::strtod(arguments[3], nullptr));
  if (columns == 1) {
    measure<Eigen::VectorXf>(matrix, Eigen::VectorXf::Random(n), std::atoi(arguments[4]));
  } else {
    measure<Rows>(matrix, Rows::Random(n, columns), std::atoi(arguments[4]));
  }
  return 0;
}
#else
int main() {
  bench::report_missing("Eigen", "Eigen3 was not found when this was built");
  return 0;
}
#endif
