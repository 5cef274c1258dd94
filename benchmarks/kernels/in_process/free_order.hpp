// The same networks without the promise of same bits: sums in whatever order is fastest with vectors of 64 bytes.
#pragma once

#include "network.hpp"

#include <algorithm>
#include <utility>

namespace bench {

class FreeOrder {
 public:
  explicit FreeOrder(const Network& network) {
    std::size_t widest = 0;
    for (const DenseLayer& layer : network) {
      layers_.push_back(pack(layer));
      widest = std::max({widest, layer.inputs, layer.outputs});
    }
    for (auto& values : values_) values = Vectors(new Vector[widest / lanes + 2]());
  }

  void operator()(const float* x, float* y) {
    float* to = reinterpret_cast<float*>(values_[0].get());
    std::copy_n(x, layers_.front().inputs, to);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const float* from = reinterpret_cast<const float*>(values_[i % 2].get());
      Vector* next = values_[(i + 1) % 2].get();
      layers_[i].by_rows ? rows(layers_[i], from, reinterpret_cast<float*>(next)) : panels(layers_[i], from, next);
    }
    std::copy_n(reinterpret_cast<const float*>(values_[layers_.size() % 2].get()), layers_.back().outputs, y);
  }

 private:
  static constexpr std::size_t lanes = 16, in_flight = 8;
  typedef float Vector __attribute__((vector_size(64), may_alias));
  struct Vectors {
    Vectors() = default;
    explicit Vectors(Vector* first) : at(first) {}
    Vectors(Vectors&& other) noexcept : at(other.at) { other.at = nullptr; }
    Vectors& operator=(Vectors&& other) noexcept { return std::swap(at, other.at), *this; }
    ~Vectors() { delete[] at; }
    Vector* get() const { return at; }
    Vector& operator[](std::size_t i) const { return at[i]; }
    Vector* at = nullptr;
  };
  struct Packed {
    std::size_t inputs, outputs, panel_count;
    Vectors weights, bias;  // panels of 16 outputs, inputs in order; by rows: outputs padded to whole vectors
    bool by_rows, relu;
  };

  static Packed pack(const DenseLayer& layer) {
    const std::size_t k_count = layer.inputs, m_count = layer.outputs, panel_count = (m_count + lanes - 1) / lanes;
    const bool by_rows = m_count < lanes && k_count >= 2 * lanes;
    const std::size_t row_vectors = (k_count + lanes - 1) / lanes;
    const std::size_t vectors = by_rows ? m_count * row_vectors : panel_count * k_count;
    Packed packed{k_count, m_count,   panel_count, Vectors(new Vector[vectors]()), Vectors(new Vector[panel_count]()),
                  by_rows, layer.relu};
    for (std::size_t j = 0; j < m_count; ++j) {
      packed.bias[j / lanes][j % lanes] = layer.bias[j];
      for (std::size_t k = 0; k < k_count; ++k) {
        const float weight = layer.weights[j * k_count + k];
        if (by_rows) {
          packed.weights[j * row_vectors + k / lanes][k % lanes] = weight;
        } else {
          packed.weights[place(packed, j / lanes, k)][j % lanes] = weight;
        }
      }
    }
    return packed;
  }

  // Panels lie in blocks of 8, 4, 2 or 1, as they are read: input by input, the panels of a block side by side.
  static std::size_t place(const Packed& layer, std::size_t panel, std::size_t k) {
    std::size_t first = 0, size = in_flight;
    for (;; first += size) {
      while (first + size > layer.panel_count) size /= 2;
      if (panel < first + size) return first * layer.inputs + k * size + (panel - first);
    }
  }

  static void rows(const Packed& layer, const float* x, float* y) {
    const std::size_t count = (layer.inputs + lanes - 1) / lanes;
    const auto* values = reinterpret_cast<const Vector*>(x);
    for (std::size_t j = 0; j < layer.outputs; ++j) {
      const Vector* weights = layer.weights.get() + j * count;
      Vector sums[4] = {};
      std::size_t k = 0;
      for (; k + 4 <= count; k += 4) {
        for (std::size_t i = 0; i < 4; ++i) sums[i] += weights[k + i] * values[k + i];
      }
      for (; k < count; ++k) sums[0] += weights[k] * values[k];
      const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      float total = layer.bias[j / lanes][j % lanes];
      for (std::size_t i = 0; i < lanes; ++i) total += sum[i];
      y[j] = layer.relu ? std::max(total, 0.0F) : total;
    }
  }

  static void panels(const Packed& layer, const float* x, Vector* y) {
    std::size_t panel = 0;
    for (; panel + 8 <= layer.panel_count; panel += 8) block<8>(layer, panel, x, y);
    for (; panel + 4 <= layer.panel_count; panel += 4) block<4>(layer, panel, x, y);
    for (; panel + 2 <= layer.panel_count; panel += 2) block<2>(layer, panel, x, y);
    for (; panel < layer.panel_count; ++panel) block<1>(layer, panel, x, y);
  }

  // Several panels, and as many sums of each as keep eight in flight.
  template <std::size_t Panels>
  static void block(const Packed& layer, std::size_t panel, const float* x, Vector* y) {
    constexpr std::size_t chains = in_flight / Panels;
    const Vector* weights = layer.weights.get() + panel * layer.inputs;
    const std::size_t k_count = layer.inputs;
    Vector sums[Panels][chains] = {};
    for (std::size_t p = 0; p < Panels; ++p) sums[p][0] = layer.bias[panel + p];
    std::size_t k = 0;
    for (; k + chains <= k_count; k += chains) {
#pragma GCC unroll 8
      for (std::size_t c = 0; c < chains; ++c) {
        const Vector value = Vector{} + x[k + c];
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Panels; ++p) sums[p][c] += weights[(k + c) * Panels + p] * value;
      }
    }
    for (; k < k_count; ++k) {
      const Vector value = Vector{} + x[k];
#pragma GCC unroll 8
      for (std::size_t p = 0; p < Panels; ++p) sums[p][0] += weights[k * Panels + p] * value;
    }
#pragma GCC unroll 8
    for (std::size_t p = 0; p < Panels; ++p) {
#pragma GCC unroll 8
      for (std::size_t c = 1; c < chains; ++c) sums[p][0] += sums[p][c];
      y[panel + p] = layer.relu ? (sums[p][0] > 0 ? sums[p][0] : Vector{}) : sums[p][0];
    }
  }

  std::vector<Packed> layers_;
  Vectors values_[2];
};

}  // namespace bench
