// CRC-32 of IEEE 802.3, as zlib computes it; a table of 16 entries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rlcompress {

class Crc32 {
 public:
  void add(const std::uint8_t* bytes, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
      state_ ^= bytes[i];
      state_ = (state_ >> 4U) ^ table[state_ & 15U];
      state_ = (state_ >> 4U) ^ table[state_ & 15U];
    }
  }
  std::uint32_t value() const noexcept { return ~state_; }

 private:
  static constexpr std::uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
                                              0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                              0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  std::uint32_t state_ = 0xFFFFFFFFU;
};

}  // namespace rlcompress
