// A network called one observation after the other, each waiting for the last, or in batches:
//   dense IMAGE.rlc WEIGHTS.bin ROWS BATCHES TOLERANCE all|ours [EXPORTED]
#include "timing.hpp"
#include "free_order.hpp"
#include "network.hpp"
#if defined(RLCOMPRESS_BENCH_EIGEN)
#include "eigen_dense.hpp"
#endif

#include <rlcompress/model.hpp>
#include <rlcompress/target.hpp>

#include <dlfcn.h>

#include <cstdlib>
#include <memory>

namespace {

using bench::Contender;
using bench::Floats;
using bench::Network;

// Observations and their outputs, chained from call to call. Single ones take turns, as some have more zeros behind a
// relu than others.
struct Serial {
  const Network& network;
  std::size_t size;  // of the observations of a call
  Floats x, y;
  std::size_t at = 0;  // next one

  Serial(const Network& net, std::size_t rows)
      : network(net),
        size(rows * net.front().inputs),
        x(bench::random_floats(rows == 1 ? 64 * size : size)),
        y(rows * net.back().outputs) {}

  template <class Run>
  void calls(std::size_t count, Run&& run) {
    for (std::size_t i = 0; i < count; ++i) {
      run(x.data() + at, y.data());
      bench::touch_memory();
      at = at + size < x.size() ? at + size : 0;
      x[at] = bench::dependent(x[at], y.back());
    }
  }
};

class Suite {
 public:
  Suite(const Network& network, std::size_t rows, double tolerance) : serial_(network, rows), tolerance_(tolerance) {}

  template <class Run>
  void add(const std::string& name, Run run, const char* target = nullptr, bool same_bits = false) {
    Contender contender{name, [this, run](std::size_t calls) mutable { serial_.calls(calls, run); }};
    if (target != nullptr) contender.before = [target] { (void)rlcompress::force_target(target); };
    contender.before();
    std::fill(serial_.y.begin(), serial_.y.end(), 0.0F);
    serial_.at = 0;
    contender.run(1);
    const double error = bench::error_of(serial_.network, serial_.x, serial_.y);
    if (!(error <= tolerance_)) {
      bench::report_missing(name, "wrong: relative error " + std::to_string(error));
      return;
    }
    if (answer_.empty()) answer_ = serial_.y;
    if (same_bits && std::memcmp(answer_.data(), serial_.y.data(), sizeof(float) * answer_.size()) != 0) {
      bench::report_missing(name, "wrong: other bits than the first contender's");
      return;
    }
    contenders_.push_back(contender);
  }

  void time(int batches) const { bench::time_in_turns(contenders_, batches, 50.0); }

 private:
  Serial serial_;
  double tolerance_;
  Floats answer_;  // of the first contender
  std::vector<Contender> contenders_;
};

// Workspace of `rows` rows, where the library can use that.
template <class Model>
auto workspace_bytes(const Model& model, std::size_t rows, int) -> decltype(model.batch_workspace_bytes(rows)) {
  return model.batch_workspace_bytes(rows);
}
template <class Model>
std::size_t workspace_bytes(const Model& model, std::size_t, long) {
  return model.workspace_bytes();
}

void add_ours(Suite& suite, const rlcompress::Model& model, std::size_t rows, bench::Bytes& workspace) {
  const std::size_t bytes = workspace_bytes(model, std::min<std::size_t>(rows, 64), 0);
  workspace.resize(bytes + 64);
  const auto past = reinterpret_cast<std::uintptr_t>(workspace.data()) % 64;
  const rlcompress::View<std::uint8_t> memory(workspace.data() + (64 - past) % 64, bytes);
  const std::size_t inputs = model.input_size(), outputs = model.action_size();
  bool best = true;
  for (std::size_t i = 0; i < rlcompress::target_count(); ++i) {
    if (!rlcompress::target_available(i)) continue;
    const char* target = rlcompress::target_name(i);
    const std::string name = std::string("rlcompress ") + target;
    if (rows == 1) {
      const auto run = [&model, memory, inputs, outputs](const float* x, float* y) {
        (void)model.run({x, inputs}, {y, outputs}, memory);
      };
      if (best) suite.add("rlcompress", run, target);
      suite.add(name, run, target);
    } else {
      const auto run = [&model, memory, rows, inputs, outputs](const float* x, float* y) {
        (void)model.run_batch(rows, {x, rows * inputs}, {y, rows * outputs}, memory);
      };
      if (best) suite.add("rlcompress", run, target);
      suite.add(name, run, target);
    }
    best = false;
  }
}

// The header of this network, compiled for this machine. Its bits must be those of the file.
void add_exported(Suite& suite, const char* path) {
  constexpr auto name = "rlcompress export, C++";
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library != nullptr ? dlsym(library, "run_exported") : nullptr;
  if (symbol == nullptr) return bench::report_missing(name, "its library cannot be loaded");
  suite.add(name, reinterpret_cast<void (*)(const float*, float*)>(symbol), nullptr, true);
}

#if defined(RLCOMPRESS_BENCH_EIGEN)
template <class Peer>
auto called(const Network& network) {
  return [peer = std::make_shared<Peer>(network)](const float* x, float* y) { (*peer)(x, y); };
}

template <int... Widths>
bool add_fixed(Suite& suite, const Network& network) {
  std::vector<std::size_t> widths{network.front().inputs};
  for (const auto& layer : network) widths.push_back(layer.outputs);
  if (widths != std::vector<std::size_t>{Widths...}) return false;
  suite.add("Eigen fixed, by columns", called<bench::EigenFixed<Eigen::ColMajor, Widths...>>(network));
  suite.add("Eigen fixed, by rows", called<bench::EigenFixed<Eigen::RowMajor, Widths...>>(network));
  return true;
}

template <int Order>
void add_dynamic(Suite& suite, const std::string& name, const Network& network, std::size_t rows) {
  const auto peer = std::make_shared<bench::EigenDynamic<Order>>(network);
  if (rows == 1) {
    suite.add(name, [peer](const float* x, float* y) { (*peer)(x, y); });
  } else {
    const auto count = static_cast<Eigen::Index>(rows);
    suite.add(name, [peer, count](const float* x, float* y) { peer->batch(x, y, count); });
  }
}

void add_peers(Suite& suite, const Network& network, std::size_t rows) {
  add_dynamic<Eigen::ColMajor>(suite, "Eigen, by columns", network, rows);
  add_dynamic<Eigen::RowMajor>(suite, "Eigen, by rows", network, rows);
  if (rows > 1) return;
  (void)(add_fixed<4, 24, 24, 2>(suite, network) || add_fixed<8, 64, 64, 4>(suite, network) ||
         add_fixed<8, 256, 256, 4>(suite, network) || add_fixed<17, 256, 256, 6>(suite, network) ||
         add_fixed<128, 512, 512, 18>(suite, network) || add_fixed<784, 300, 100, 10>(suite, network));
}
#else
void add_peers(Suite&, const Network&, std::size_t) {
  bench::report_missing("Eigen", "Eigen3 was not found when this was built");
}
#endif

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  const bench::Image image(bench::read_file(arguments[1]));
  const Network network = bench::read_network(arguments[2]);
  const std::size_t rows = std::strtoull(arguments[3], nullptr, 10);
  const int batches = std::atoi(arguments[4]);
  const double tolerance = std::strtod(arguments[5], nullptr);
  const auto model = rlcompress::Model::from_bytes({image.data(), image.size()});
  if (!model) return 3;
  bench::Bytes workspace;
  Suite suite(network, rows, tolerance);
  add_ours(suite, *model, rows, workspace);
  if (count == 8) add_exported(suite, arguments[7]);
  if (std::strcmp(arguments[6], "all") == 0) {
    if (rows == 1) {
      const auto free_order = std::make_shared<bench::FreeOrder>(network);
      suite.add("any order", [free_order](const float* x, float* y) { (*free_order)(x, y); });
    }
    add_peers(suite, network, rows);
  }
  suite.time(batches);
  return 0;
}
