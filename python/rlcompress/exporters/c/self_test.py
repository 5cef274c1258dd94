"""C of the optional self-test: its bytes count only where the macro is defined."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from rlcompress.exporters.c.flash import FLASH, MACRO, REACH, limit
from rlcompress.exporters.c.unit import Unit, table
from rlcompress.exporters.stored_vectors import StoredVectors, checksum
from rlcompress.network import Network

_SAME_BITS = f"""\
/* Whether the values have these bits; the bits of a NaN differ between processors. */
static int same_bits(const float *values, const {FLASH} uint32_t *bits, size_t n) {{
  for (size_t i = 0; i < n; ++i) {{
    union {{ float f; uint32_t u; }} v;
    v.f = values[i];
    if (v.u != bits[i] && !(v.f != v.f && bits[i] == 0x7FC00000U)) return 0;
  }}
  return 1;
}}
"""

_CHECKSUM = f"""\
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* CRC-32 of the constants: one that no stored vector reaches is checked too. */
static uint32_t checksum(uint32_t sum, const {FLASH} void *constants, size_t n) {{
  const {FLASH} uint8_t *byte = (const {FLASH} uint8_t *)constants;
  for (; n > 0; --n) {{
    sum ^= *byte++;
    for (int i = 0; i < 8; ++i) sum = sum >> 1 ^ (0xEDB88320U & (0U - (sum & 1U)));
  }}
  return sum;
}}
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
    tables: list[tuple[str, npt.NDArray[Any]]] = [("golden_observations", vectors.observations)]
    checks = [("golden_actions", "action", f"{big}_ACTION_SIZE")]
    if vectors.scores.size:
        tables.append(("golden_scores", vectors.scores))
        checks.insert(0, ("golden_scores", unit.place, str(network.output_size)))
    tables.append(("golden_actions", vectors.actions))
    golden = "".join(table(name, values.reshape(-1), FLASH) for name, values in tables)
    compared = "".join(
        f"    if (!same_bits({values}, {bits} + {size} * i, {size})) return (int)i + 1;\n"
        for bits, values, size in checks
    )
    return f"""\
#ifdef {big}_SELF_TEST
{_flash(unit, sum(values.nbytes for _, values in tables))}{golden}{_SAME_BITS}{_CHECKSUM if unit.arrays else ""}
int {name}_self_test({name}_workspace *workspace) {{
  for (size_t i = 0; i < {count}; ++i) {{
    float action[{big}_ACTION_SIZE];
#if defined(__AVR__)
    float observation[{big}_INPUT_SIZE];
    for (size_t k = 0; k < {big}_INPUT_SIZE; ++k) observation[k] = golden_observations[{big}_INPUT_SIZE * i + k];
#else
    const float *const observation = golden_observations + {big}_INPUT_SIZE * i;
#endif
    {name}_run(observation, action, workspace);
{compared}  }}
{_constants(unit, count)}  return 0;
}}
#endif
"""


def _flash(unit: Unit, golden_bytes: int) -> str:
    """What the constants have not brought: the macro, and the limit that they keep without the vectors."""
    if not unit.arrays:
        return MACRO
    remedy = "leave the self-test out, whose vectors are among them"
    return limit(unit.constant_bytes + golden_bytes, remedy) if unit.constant_bytes <= REACH else ""


def _constants(unit: Unit, count: int) -> str:
    if not unit.arrays:
        return ""
    sums = "".join(f"  sum = checksum(sum, {name}, sizeof {name});\n" for name, _ in unit.arrays)
    expected = checksum(values for _, values in unit.arrays) ^ 0xFFFFFFFF
    return (
        "#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n  uint32_t sum = 0xFFFFFFFFU;\n"
        f"{sums}  if (sum != 0x{expected:08X}U) return {count + 1};\n#endif\n"
    )
