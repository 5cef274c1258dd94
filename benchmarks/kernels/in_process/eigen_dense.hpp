// Eigen: sizes known when compiling or not, weights by columns or by rows.
#pragma once

#include "network.hpp"

#include <Eigen/Dense>

#include <cstring>
#include <memory>

namespace bench {

template <class T>
using Aligned = std::vector<T, Eigen::aligned_allocator<T>>;

template <int Order>
struct EigenDynamic {
  struct Layer {
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Order> weights;
    Eigen::VectorXf bias;
    bool relu;
  };
  std::vector<Layer> layers;
  std::vector<Eigen::VectorXf> values;
  std::vector<Eigen::MatrixXf> batches;

  explicit EigenDynamic(const Network& network) {
    for (const DenseLayer& layer : network) {
      using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
      const auto m = static_cast<Eigen::Index>(layer.outputs), k = static_cast<Eigen::Index>(layer.inputs);
      layers.push_back({Eigen::Map<const Rows>(layer.weights.data(), m, k),
                        Eigen::Map<const Eigen::VectorXf>(layer.bias.data(), m), layer.relu});
      values.emplace_back(m);
      batches.emplace_back();
    }
  }

  void operator()(const float* x, float* y) {
    Eigen::Map<const Eigen::VectorXf> first(x, layers.front().weights.cols());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i == 0) {
        values[i].noalias() = layers[i].weights * first;
      } else {
        values[i].noalias() = layers[i].weights * values[i - 1];
      }
      values[i] += layers[i].bias;
      if (layers[i].relu) values[i] = values[i].cwiseMax(0.0F);
    }
    std::memcpy(y, values.back().data(), sizeof(float) * static_cast<std::size_t>(values.back().size()));
  }

  // Rows of x and y are columns for Eigen.
  void batch(const float* x, float* y, Eigen::Index rows) {
    Eigen::Map<const Eigen::MatrixXf> first(x, layers.front().weights.cols(), rows);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i == 0) {
        batches[i].noalias() = layers[i].weights * first;
      } else {
        batches[i].noalias() = layers[i].weights * batches[i - 1];
      }
      batches[i].colwise() += layers[i].bias;
      if (layers[i].relu) batches[i] = batches[i].cwiseMax(0.0F);
    }
    std::memcpy(y, batches.back().data(), sizeof(float) * static_cast<std::size_t>(batches.back().size()));
  }
};

template <int Order, int K, int... Widths>
struct EigenFixedChain;

template <int Order, int K>
struct EigenFixedChain<Order, K> {
  EigenFixedChain(const Network&, std::size_t) {}
  template <class Input>
  void run(const Input& input, float* y) const {
    Eigen::Map<Eigen::Matrix<float, K, 1>>{y} = input;
  }
};

template <int Order, int K, int M, int... Rest>
struct EigenFixedChain<Order, K, M, Rest...> {
  using Weights = Eigen::Matrix<float, M, K, (M == 1 || K == 1) ? (M == 1 ? Eigen::RowMajor : Eigen::ColMajor) : Order>;
  Aligned<float> storage;
  Eigen::Matrix<float, M, 1> bias;
  EigenFixedChain<Order, M, Rest...> next;

  EigenFixedChain(const Network& network, std::size_t index) : storage(std::size_t{M} * K), next(network, index + 1) {
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    Eigen::Map<Weights>(storage.data()) = Eigen::Map<const Rows>(network[index].weights.data(), M, K);
    bias = Eigen::Map<const Eigen::Matrix<float, M, 1>>(network[index].bias.data());
  }

  template <class Input>
  void run(const Input& input, float* y) const {
    Eigen::Map<const Weights, Eigen::AlignedMax> weights(storage.data());
    Eigen::Matrix<float, M, 1> value;
    value.noalias() = weights * input;
    value += bias;
    if constexpr (sizeof...(Rest) > 0) value = value.cwiseMax(0.0F);
    next.run(value, y);
  }
};

template <int Order, int... Widths>
struct EigenFixed;

template <int Order, int K, int... Widths>
struct EigenFixed<Order, K, Widths...> {
  EigenFixedChain<Order, K, Widths...> chain;
  explicit EigenFixed(const Network& network) : chain(network, 0) {}
  void operator()(const float* x, float* y) const {
    const Eigen::Matrix<float, K, 1> input = Eigen::Map<const Eigen::Matrix<float, K, 1>>(x);
    chain.run(input, y);
  }
};

}  // namespace bench
