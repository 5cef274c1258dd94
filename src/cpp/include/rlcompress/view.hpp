// Pointer and length: what functions take instead of containers (std::span is C++20).
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace rlcompress {

template <class T>
class View {
 public:
  constexpr View() noexcept = default;
  constexpr View(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr View(T (&array)[N]) noexcept : data_(array), size_(N) {}
  // Any contiguous container: std::array, std::vector, std::span, another View.
  template <class C, class = std::enable_if_t<std::is_convertible_v<decltype(std::declval<C&>().data()), T*> &&
                                              std::is_convertible_v<decltype(std::declval<C&>().size()), std::size_t>>>
  constexpr View(C&& container) noexcept : data_(container.data()), size_(container.size()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rlcompress
