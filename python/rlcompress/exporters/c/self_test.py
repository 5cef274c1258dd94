"""C of the optional self-test: its bytes count only where the macro is defined."""

from __future__ import annotations

from rlcompress.exporters.c.unit import Unit, table
from rlcompress.exporters.stored_vectors import StoredVectors, checksum
from rlcompress.network import Network

_SAME_BITS = """\
/* Whether the values have these bits; the bits of a NaN differ between processors. */
static int same_bits(const float *values, const uint32_t *bits, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    union { float f; uint32_t u; } v;
    v.f = values[i];
    if (v.u != bits[i] && !(v.f != v.f && bits[i] == 0x7FC00000U)) return 0;
  }
  return 1;
}
"""

_CHECKSUM = """\
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* CRC-32 of the constants: one that no stored vector reaches is checked too. */
static uint32_t checksum(uint32_t sum, const void *constants, size_t n) {
  const uint8_t *byte = (const uint8_t *)constants;
  for (; n > 0; --n) {
    sum ^= *byte++;
    for (int i = 0; i < 8; ++i) sum = sum >> 1 ^ (0xEDB88320U & (0U - (sum & 1U)));
  }
  return sum;
}
#endif
"""


def self_test(unit: Unit, network: Network, name: str, count: int) -> str:
    """The function, with its vectors.

    Args:
        unit: the whole network.
        network: the same.
        name: prefix of the function.
        count: vectors.
    """
    vectors, big = StoredVectors.of(network, count), name.upper()
    tables = [table("golden_observations", vectors.observations.reshape(-1))]
    checks = [("golden_actions", "action", f"{big}_ACTION_SIZE")]
    if vectors.scores.size:
        tables.append(table("golden_scores", vectors.scores.reshape(-1)))
        checks.insert(0, ("golden_scores", unit.place, str(network.output_size)))
    tables.append(table("golden_actions", vectors.actions.reshape(-1)))
    compared = "".join(
        f"    if (!same_bits({values}, {bits} + {size} * i, {size})) return (int)i + 1;\n"
        for bits, values, size in checks
    )
    return f"""\
#ifdef {big}_SELF_TEST
{"".join(tables)}{_SAME_BITS}{_CHECKSUM if unit.arrays else ""}
int {name}_self_test({name}_workspace *workspace) {{
  for (size_t i = 0; i < {count}; ++i) {{
    float action[{big}_ACTION_SIZE];
    {name}_run(golden_observations + {big}_INPUT_SIZE * i, action, workspace);
{compared}  }}
{_constants(unit, count)}  return 0;
}}
#endif
"""


def _constants(unit: Unit, count: int) -> str:
    if not unit.arrays:
        return ""
    sums = "".join(f"  sum = checksum(sum, {name}, sizeof {name});\n" for name, _ in unit.arrays)
    expected = checksum(values for _, values in unit.arrays) ^ 0xFFFFFFFF
    return (
        "#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n  uint32_t sum = 0xFFFFFFFFU;\n"
        f"{sums}  if (sum != 0x{expected:08X}U) return {count + 1};\n#endif\n"
    )
