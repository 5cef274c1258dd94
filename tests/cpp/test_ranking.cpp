// Magnitude ranking against a stable sort, on every target, over awkward splits; and that it never allocates.
#include <rlcompress/rlcompress.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"

namespace {

using rlcompress::MagnitudeThreshold;
using rlcompress::Status;
using rlcompress::View;
using Floats = std::vector<float>;

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Split {
  std::vector<View<const float>> weights;
  std::vector<View<bool>> masks;
};

Split split(const Floats& all, bool* mask, const std::vector<std::size_t>& sizes) {
  Split result;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= sizes.size(); ++i) {
    const std::size_t left = all.size() - at;
    const std::size_t n = i < sizes.size() ? std::min(sizes[i], left) : left;
    result.weights.emplace_back(all.data() + at, n);
    result.masks.emplace_back(mask + at, n);
    at += n;
  }
  return result;
}

std::vector<std::size_t> ranked(const Floats& all) {
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return std::fabs(all[a]) > std::fabs(all[b]); });
  return order;
}

void check(const Floats& all, const std::vector<std::size_t>& sizes) {
  const std::vector<std::size_t> order = ranked(all);
  const std::unique_ptr<bool[]> mask(new bool[all.size() + 1]);
  const Split parts = split(all, mask.get(), sizes);
  const std::size_t n = all.size();
  for (const std::size_t keep : {std::size_t{0}, std::size_t{1}, n / 10, n / 2, n - n / 100, n}) {
    if (keep > n) continue;
    std::vector<bool> wanted(n, false);
    for (std::size_t i = 0; i < keep; ++i) wanted[order[i]] = true;
    const std::size_t before = test::allocations();
    const Status status = rlcompress::keep_largest(parts.weights, keep, parts.masks);
    MagnitudeThreshold threshold;
    const Status second = rlcompress::magnitude_threshold(parts.weights, keep, threshold);
    CHECK(test::allocations() == before);
    CHECK(status == Status::ok && second == Status::ok);
    std::size_t wrong = 0;
    std::size_t ties = 0;
    for (std::size_t i = 0; i < n; ++i) {
      wrong += mask[i] == wanted[i] ? 0 : 1;
      ties += wanted[i] && std::fabs(all[i]) == threshold.magnitude ? 1 : 0;
    }
    CHECK_THAT(wrong == 0, "%zu of %zu wrong, keep %zu, target %s", wrong, n, keep, rlcompress::active_target());
    CHECK_THAT(threshold.magnitude == (keep > 0 ? std::fabs(all[order[keep - 1]]) : infinity), "keep %zu", keep);
    CHECK_THAT(ties == threshold.ties, "%zu ties, %zu found", ties, threshold.ties);
  }
}

void check_draws() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0.0F, 0.05F);
  std::uniform_int_distribution<int> few(-2, 2);
  std::uniform_int_distribution<std::uint32_t> bits(0, 0x7F800000U);
  const std::vector<std::size_t> sizes = {0, 1, 130, 0, 4096, 5000};
  for (const std::size_t n :
       std::initializer_list<std::size_t>{0, 1, 2, 7, 127, 128, 129, 255, 300, 4095, 4097, 9000, 40000}) {
    Floats w(n);
    for (float& x : w) x = normal(random);
    check(w, sizes);
    for (float& x : w) x = std::fabs(x) < 0.08F ? 0.0F : x;
    check(w, sizes);
    for (float& x : w) x = static_cast<float>(few(random));
    check(w, {3});
    for (float& x : w) {  // every magnitude, subnormals and infinity among them
      const std::uint32_t b = bits(random);
      std::memcpy(&x, &b, sizeof(x));
    }
    check(w, {});
    std::sort(w.begin(), w.end());
    check(w, sizes);
    for (std::size_t i = 0; i < n; ++i) w[i] = i % 64 == 0 ? -infinity : -0.0F;
    check(w, sizes);
  }
}

void check_keep_at_least() {
  const Floats w = {0.0F, -0.0F, 1e-45F, -1e-40F, 1.0F, -1.0F, 2.0F, -infinity};
  bool mask[8];
  const auto kept = [&](float threshold) {
    CHECK(rlcompress::keep_at_least(w, threshold, mask) == Status::ok);
    unsigned result = 0;
    for (std::size_t i = 0; i < 8; ++i) result |= mask[i] ? 1U << i : 0U;
    return result;
  };
  CHECK(kept(0.0F) == 0xFF && kept(-0.0F) == 0xFF && kept(-3.0F) == 0xFF);
  CHECK(kept(1e-45F) == 0xFC && kept(1e-40F) == 0xF8 && kept(1.0F) == 0xF0);
  CHECK(kept(1.5F) == 0xC0 && kept(infinity) == 0x80);
  CHECK(rlcompress::keep_at_least(w, std::nanf(""), mask) == Status::not_a_number);
  CHECK(rlcompress::keep_at_least(w, 1.0F, View<bool>(mask, 7)) == Status::mask_size);
}

void check_refusals() {
  Floats w(5000, 1.0F);
  const std::unique_ptr<bool[]> mask(new bool[w.size()]);
  const Split parts = split(w, mask.get(), {2000});
  MagnitudeThreshold threshold;
  CHECK(rlcompress::keep_largest(parts.weights, 5001, parts.masks) == Status::keep_count);
  CHECK(rlcompress::magnitude_threshold(parts.weights, 5001, threshold) == Status::keep_count);
  CHECK(rlcompress::keep_largest(parts.weights, 5, View<const View<bool>>(parts.masks.data(), 1)) == Status::mask_size);
  for (const std::size_t at : std::initializer_list<std::size_t>{0, 1999, 2000, 4999}) {
    w[at] = -std::nanf("");
    for (const std::size_t keep : std::initializer_list<std::size_t>{0, 1, 2500, 5000}) {
      CHECK(rlcompress::keep_largest(parts.weights, keep, parts.masks) == Status::not_a_number);
      CHECK(rlcompress::magnitude_threshold(parts.weights, keep, threshold) == Status::not_a_number);
    }
    CHECK(rlcompress::keep_at_least(w, 0.5F, View<bool>(mask.get(), w.size())) == Status::not_a_number);
    w[at] = 1.0F;
  }
}

}  // namespace

int main() {
  for (std::size_t t = 0; t < rlcompress::target_count(); ++t) {
    if (!rlcompress::target_available(t)) continue;
    CHECK(rlcompress::force_target(rlcompress::target_name(t)) == Status::ok);
    check_draws();
    check_keep_at_least();
    check_refusals();
  }
  return test::report();
}
