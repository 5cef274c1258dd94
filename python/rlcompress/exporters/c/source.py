"""The header and the source of an exported network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlcompress.contract import Argmax
from rlcompress.exporters.c.arithmetic import GUARD
from rlcompress.exporters.c.dense import add_dense
from rlcompress.exporters.c.ends import add_head, add_input
from rlcompress.exporters.c.integer import add_integer
from rlcompress.exporters.c.prefix import prefixed
from rlcompress.exporters.c.self_test import self_test
from rlcompress.exporters.c.unit import Unit
from rlcompress.exporters.stored_vectors import GOLDEN
from rlcompress.layers import IntegerDense
from rlcompress.network import Network


@dataclass(frozen=True)
class CSource:
    """An exported network.

    Args:
        name: prefix of everything in it, and the files' name.
        header: text of `NAME.h`.
        source: text of `NAME.c`.
        constant_bytes: flash for the arrays of weights, biases, scales, indices.
        workspace_bytes: memory that the caller gives.
        macs: multiply-accumulates of one inference.
    """

    name: str
    header: str
    source: str
    constant_bytes: int
    workspace_bytes: int
    macs: int


def c_source(network: Network, name: str, golden: int = GOLDEN) -> CSource:
    """C for a network as its `.rlc` file holds it (a layer with a mask is a sparse record).

    Args:
        network: as `artifact.decode` gives it.
        name: a C identifier.
        golden: test vectors of the optional self-test.
    """
    unit = Unit()
    add_input(unit, network.contract)
    for index, layer in enumerate(network.layers):
        if isinstance(layer, IntegerDense):
            add_integer(unit, layer, index)
        else:
            add_dense(unit, layer, index)
    add_head(unit, network.contract, network.output_size)
    floats = max(1, sum(unit.floats))
    test = self_test(unit, network, name, golden)
    own = prefixed("\n".join([unit.text(), _run(unit, network, name), test]), name)
    source = "\n".join([f'#include "{name}.h"\n', GUARD, own])
    header = _header(network, name, floats)
    return CSource(name, header, source, unit.constant_bytes, 4 * floats, network.macs)


def _header(network: Network, name: str, floats: int) -> str:
    contract, big = network.contract, name.upper()
    discrete = isinstance(contract.head, Argmax)
    shape = " x ".join(map(str, contract.observation_shape))
    decide = (
        "/* The number of the action. */\n"
        f"int32_t {name}_decide(const float *observation, {name}_workspace *workspace);\n\n"
    )
    return f"""\
/* {name}: a network in C99, made by rlcompress ({network.parameter_count} parameters, {network.macs} MACs).
   Re-entrant: nothing is kept between calls, and the caller owns all memory. The floating-point unit must be in its
   reset state: round to nearest, subnormal numbers kept. */
#ifndef RLCOMPRESS_{name}_H
#define RLCOMPRESS_{name}_H

#include <stddef.h>
#include <stdint.h>

#ifdef {big}_INPUT_SIZE
#error "the macros {big}_... are those of another policy too: two names must differ in more than upper and lower case"
#endif

#ifdef __cplusplus
extern "C" {{
#endif

#define {big}_INPUT_SIZE {contract.input_size} /* floats of one observation ({shape}) */
#define {big}_ACTION_SIZE {contract.action_size(network.output_size)} /* floats of one action ({contract.head.kind}) */
#define {big}_WORKSPACE_BYTES {4 * floats}
#define {big}_MACS {network.macs}

typedef struct {{
  float values[{floats}];
}} {name}_workspace;

{decide if discrete else ""}\
/* One inference: {big}_INPUT_SIZE floats in, {big}_ACTION_SIZE floats out; the three do not overlap. */
void {name}_run(const float *observation, float *action, {name}_workspace *workspace);

#ifdef {big}_SELF_TEST
/* Runs the stored vectors and checks the constants: 0 when every bit is right, else the number of the first wrong
   vector, from 1, or one more than there are vectors where a constant is wrong. */
int {name}_self_test({name}_workspace *workspace);
#endif

#ifdef __cplusplus
}}
#endif

#endif
"""


def _run(unit: Unit, network: Network, name: str) -> str:
    buffers = []
    if unit.floats[0]:
        buffers.append("float *const buffer0 = workspace->values;")
    if unit.floats[1]:
        offset = f" + {unit.floats[0]}" if unit.floats[0] else ""
        buffers.append(f"float *const buffer1 = workspace->values{offset};")
    if not any(re.search(r"\bobservation\b", line) for line in unit.body):
        buffers.append("(void)observation;")  # no input has a weight
    body = "".join(f"{'' if line.startswith('#') else '  '}{line}\n" for line in (*buffers, *unit.body))
    arguments = f"const float *observation, {{}}{name}_workspace *workspace"
    if not isinstance(network.contract.head, Argmax):
        return f"void {name}_run({arguments.format('float *action, ')}) {{\n{body}}}\n"
    number = f"{name}_decide(observation, workspace)"
    number = f"scaled({number}, 1.0F)" if "scaled" in unit.needs else f"(float){number}"
    return (
        f"int32_t {name}_decide({arguments.format('')}) {{\n{body}}}\n\n"
        f"void {name}_run({arguments.format('float *action, ')}) {{\n"
        f"  action[0] = {number};\n}}\n"
    )
