"""C for the two ends of a network: from the observation to what the layers read, from the last sums to the action."""

from __future__ import annotations

import math

import numpy as np

from rlcompress.artifact.layout import index_type
from rlcompress.contract import Argmax, Clip, Contract, Squash
from rlcompress.exporters.c import no_float
from rlcompress.exporters.c.flash import FLASH
from rlcompress.exporters.c.unit import Unit, spell

_UNROLLED = 4

ARGMAX = f"""\
#if RLCOMPRESS_NO_FLOAT
{no_float.ARGMAX}\
#else
/* Index of the first largest value; NaN never wins. */
static int32_t argmax(const float *y, int32_t n) {{
  int32_t best = 0;
  for (int32_t i = 1; i < n; ++i) {{
    if (y[i] > y[best] || (y[best] != y[best] && y[i] == y[i])) best = i;
  }}
  return best;
}}
#endif
"""

_RAW = """\
static void head_raw(const float *y, float *action, size_t n) {
  for (size_t i = 0; i < n; ++i) action[i] = canonical(y[i]);
}
"""

_BOUNDED = """\
static void head_{name}(const float *y, float *action, size_t n, const {flash} float *low,
    const {flash} float *high, const {flash} float *scale, const {flash} float *offset) {{
  for (size_t i = 0; i < n; ++i) {{
    const float c = bounded(y[i], low[i], high[i]);
    action[i] = canonical(fused({value}, scale[i], offset[i]));
  }}
}}
"""


def add_input(unit: Unit, contract: Contract) -> None:
    """Normalisation and selection: what the layers do not read is not normalised either."""
    if contract.normalisation is not None:
        _normalise(unit, contract)
    elif contract.selected is not None:
        _select(unit, contract)


def _indices(unit: Unit, contract: Contract) -> str:
    kept = np.array(contract.kept_inputs, index_type(contract.input_size))
    return unit.add_array("selected", kept)


def _element(contract: Contract) -> str:
    return f"uint{8 * index_type(contract.input_size).itemsize}_t"


def _normalise(unit: Unit, contract: Contract) -> None:
    normalisation, count = contract.normalisation, contract.network_inputs
    assert normalisation is not None
    kept = list(contract.kept_inputs)
    bounded = not math.isinf(normalisation.clip)
    read, parameter, argument = "x[i]", "", ""
    if contract.selected is not None:
        read, parameter = "x[selection[i]]", f", const {FLASH} {_element(contract)} *selection"
        argument = f", {_indices(unit, contract)}"
    value = f"({read} - mean[i]) / scale[i]"
    value = f"bounded({value}, -clip, clip)" if bounded else value
    kernel = (
        f"static void normalise(const float *x, float *y, size_t n, const {FLASH} float *mean,\n"
        f"    const {FLASH} float *scale"
        f"{', float clip' if bounded else ''}{parameter}) {{\n  for (size_t i = 0; i < n; ++i) y[i] = {value};\n}}\n"
    )
    unit.add_kernel("normalise", kernel, *(["bounded"] if bounded else []))
    mean = unit.add_array("input_mean", normalisation.mean[kept])
    scale = unit.add_array("input_scale", normalisation.scale[kept])
    buffer, target = unit.next_buffer(count)
    clip = f", {spell(normalisation.clip)}" if bounded else ""
    unit.say(f"normalise(observation, {target}, {count}, {mean}, {scale}{clip}{argument});")
    unit.move(buffer, target)


def _select(unit: Unit, contract: Contract) -> None:
    count = contract.network_inputs
    buffer, target = unit.next_buffer(count)
    if count <= _UNROLLED:
        unit.say(*(f"{target}[{i}] = observation[{k}];" for i, k in enumerate(contract.kept_inputs)))
    else:
        kernel = (
            f"static void select_inputs(const float *x, float *y, size_t n,\n"
            f"    const {FLASH} {_element(contract)} *selection) {{\n"
            "  for (size_t i = 0; i < n; ++i) y[i] = x[selection[i]];\n}\n"
        )
        unit.add_kernel("select_inputs", kernel)
        unit.say(f"select_inputs(observation, {target}, {count}, {_indices(unit, contract)});")
    unit.move(buffer, target)


def add_head(unit: Unit, contract: Contract, outputs: int) -> None:
    """The action from the last layer's outputs."""
    head = contract.head
    if isinstance(head, Argmax):
        unit.add_kernel("argmax", ARGMAX, "bits", "no_float")
        start = f"{head.start} + " if head.start else ""
        unit.say(f"return {start}argmax({unit.here}, {outputs});")
    elif isinstance(head, (Clip, Squash)):
        value = "tanh_of(c)" if isinstance(head, Squash) else "c"
        needs = ["bounded", "canonical", "fused", *(["tanh"] if isinstance(head, Squash) else [])]
        unit.add_kernel("head", _BOUNDED.format(flash=FLASH, name=head.kind, value=value), *needs)
        arrays = [unit.add_array(f"action_{name}", getattr(head, name)) for name in ("low", "high", "scale", "offset")]
        unit.say(f"head_{head.kind}({unit.here}, action, {outputs}, {', '.join(arrays)});")
    else:
        unit.add_kernel("head", _RAW, "canonical", "no_float")
        unit.say(f"head_raw({unit.here}, action, {outputs});")
