"""C++ of the optional self-test: its bytes count only where the macro is defined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.exporters.c.unit import spell
from rlcompress.exporters.stored_vectors import StoredVectors, checksum
from rlcompress.network import Network

_CHECKSUM = """\
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
// CRC-32 of the constants: one that no stored vector reaches is checked too.
inline std::uint32_t checksum(std::uint32_t sum, const void* constants, std::size_t n) noexcept {
  const auto* byte = static_cast<const unsigned char*>(constants);
  for (; n > 0; --n) {
    sum ^= *byte++;
    for (int i = 0; i < 8; ++i) sum = sum >> 1 ^ (0xEDB88320U & (0U - (sum & 1U)));
  }
  return sum;
}
#endif
"""

_SAME_BITS = """\
// Whether the values have these bits; the bits of a NaN differ between processors.
template <std::size_t N>
bool same_bits(const std::array<float, N>& values, const std::array<std::uint32_t, N>& bits) noexcept {
  for (std::size_t i = 0; i < N; ++i) {
    if (bits_of(values[i]) != bits[i] && !(values[i] != values[i] && bits[i] == 0x7FC00000U)) return false;
  }
  return true;
}
"""


def self_test(arrays: Sequence[tuple[str, npt.NDArray[Any]]], network: Network, big: str, count: int) -> str:
    """The function, with its vectors.

    Args:
        arrays: the constants of the header, with their names.
        network: the same network.
        big: prefix of the macro.
        count: vectors.
    """
    vectors = StoredVectors.of(network, count)
    observations = _rows("float, input_size", "observations", [map(spell, row) for row in vectors.observations])
    actions = _rows("std::uint32_t, action_size", "actions", _words(vectors.actions))
    outputs, size = "", network.output_size
    compared = "    if (!detail::same_bits(run(observations[i]), actions[i])) return i + 1;\n"
    if vectors.scores.size:
        outputs = _rows(f"std::uint32_t, {size}", "scores", _words(vectors.scores))
        compared += (
            f"    std::array<float, {size}> seen{{}};\n    detail::decide(observations[i], seen.data());\n"
            "    if (!detail::same_bits(seen, scores[i])) return i + 1;\n"
        )
    return f"""\
#ifdef {big}_SELF_TEST
namespace detail {{
{_SAME_BITS}{_CHECKSUM if arrays else ""}}}  // namespace detail

// Runs the stored vectors and checks the constants: 0 when every bit is right, else the number of the first wrong
// vector, from 1, or one more than there are vectors where a constant is wrong.
inline int self_test() noexcept {{
{observations}{outputs}{actions}  for (int i = 0; i < {count}; ++i) {{
{compared}  }}
{_constants(arrays, count)}  return 0;
}}
#endif
"""


def _words(bits: npt.NDArray[np.uint32]) -> list[Any]:
    return [[f"{word}U" for word in row] for row in bits.tolist()]


def _rows(element: str, name: str, rows: Sequence[Any]) -> str:
    text = ", ".join(f"{{{', '.join(row)}}}" for row in rows)
    return f"  constexpr std::array<{element}> {name}[] = {{{text}}};\n"


def _constants(arrays: Sequence[tuple[str, npt.NDArray[Any]]], count: int) -> str:
    if not arrays:
        return ""
    sums = "".join(f"  sum = detail::checksum(sum, detail::{name}, sizeof detail::{name});\n" for name, _ in arrays)
    expected = checksum(values for _, values in arrays) ^ 0xFFFFFFFF
    return (
        "#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n  std::uint32_t sum = 0xFFFFFFFFU;\n"
        f"{sums}  if (sum != 0x{expected:08X}U) return {count + 1};\n#endif\n"
    )
