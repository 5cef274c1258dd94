// exp, sigmoid and tanh: the stated error against double precision, and the same bits on every target.
#include <cmath>
#include <vector>

#include "check.hpp"
#include "kernels/table.hpp"
#include "network.hpp"
#include "targets/targets.hpp"

namespace {

using rlcompress::Activation;
using rlcompress::KernelTable;

constexpr std::size_t block = 1000;  // no multiple of any width

double ulp_error(float value, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(value)) return value == rounded ? 0.0 : 1e9;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(static_cast<double>(value) - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

struct Function {
  const char* name;
  void (*run)(const KernelTable&, float*, std::size_t);
  double (*exact)(double);
  float (*reference)(float);
  double bound;
};

const Function functions[] = {
    {"exp", [](const KernelTable& t, float* y, std::size_t n) { t.exp(y, n); }, [](double x) { return std::exp(x); },
     test::reference_exp, 1.1},
    {"sigmoid", [](const KernelTable& t, float* y, std::size_t n) { t.activate(Activation::sigmoid, 0.0F, y, n); },
     [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, test::reference_sigmoid, 2.4},
    {"tanh", [](const KernelTable& t, float* y, std::size_t n) { t.activate(Activation::tanh, 0.0F, y, n); },
     [](double x) { return std::tanh(x); }, test::reference_tanh, 1.4},
};

void check_block(const KernelTable& table, const Function& f, const std::vector<float>& x, double& worst) {
  std::vector<float> y = x;
  f.run(table, y.data(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      CHECK_THAT(std::isnan(y[i]), "%s of NaN on %s", f.name, table.name);
      continue;
    }
    CHECK_THAT(test::bits_of(y[i]) == test::bits_of(f.reference(x[i])), "%s(%a) on %s: %a", f.name,
               static_cast<double>(x[i]), table.name, static_cast<double>(y[i]));
    worst = std::fmax(worst, ulp_error(y[i], f.exact(static_cast<double>(x[i]))));
  }
}

void check_function(const KernelTable& table, const Function& f) {
  double worst = 0.0;
  std::vector<float> x;
  // Every 9973rd of all 2^32 bit patterns, then a dense sweep where the functions bend.
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 9973) {
    const auto pattern = static_cast<std::uint32_t>(bits);
    float value;
    std::memcpy(&value, &pattern, sizeof(value));
    x.push_back(value);
    if (x.size() == block) check_block(table, f, x, worst), x.clear();
  }
  for (int i = -200000; i <= 200000; ++i) {
    x.push_back(static_cast<float>(i) * 5.3e-4F);
    if (x.size() == block) check_block(table, f, x, worst), x.clear();
  }
  check_block(table, f, x, worst);
  std::printf("%-8s %-8s worst error %.3f ulp\n", table.name, f.name, worst);
  CHECK_THAT(worst <= f.bound, "%s on %s: %.3f ulp", f.name, table.name, worst);
}

}  // namespace

int main() {
#define RLCOMPRESS_TARGET(name, compression)                                         \
  if (rlcompress::table_##name.available()) {                                        \
    for (const Function& f : functions) check_function(rlcompress::table_##name, f); \
  }
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET
  return test::report();
}
