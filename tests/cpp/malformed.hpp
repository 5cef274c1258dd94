// Images with something wrong in them, and what the reader must say of each.
#pragma once

#include <rlcompress/model.hpp>

#include "network.hpp"

namespace test {

constexpr std::uint32_t nan_bits = 0x7FC00000, infinity_bits = 0x7F800000, minus_zero = 0x80000000;

// The image with `size` bytes of a number in place of what is there.
Bytes with(Bytes image, std::size_t at, std::uint64_t value, std::size_t size);

// What the reader says of an image that lies in memory of exactly its size; what it takes is run.
rlcompress::Fault fault_of(const Bytes& image);

// Checks what the reader says of an image, whose checksum is put right before.
void expect(Bytes image, rlcompress::Status status, const char* field, std::size_t offset, bool checksum = true);

void check_lengths(const Bytes& good);    // every truncation, and what is too long
void check_mutations(const Bytes& good);  // every value of every byte, and random changes

// 3 -> 5 -> 2; the first layer int4 with everything, the second sparse float32.
Network sample();

}  // namespace test
