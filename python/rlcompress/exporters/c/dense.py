"""C for dense and sparse records with float32 sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.artifact.layout import index_type, partial_sums
from rlcompress.exporters.c.blocks import add_blocks
from rlcompress.exporters.c.flash import FLASH
from rlcompress.exporters.c.rows import Rows, add_activation, add_scale
from rlcompress.exporters.c.unit import Unit, spell, stream
from rlcompress.layers import Dense, QuantizedDense

_UNROLLED = 32
_COMPACT = {32: 0, 8: 256, 4: 1024}
_ELEMENT = {32: "float", 8: "int8_t", 4: "uint8_t"}


def add_dense(unit: Unit, layer: Dense | QuantizedDense, index: int) -> None:
    """Add a layer: with few weights as straight-line code, with few integers as small loops, else in blocks."""
    rows = Rows.of(layer, index)
    if rows.column is not None:
        _scale_columns(unit, rows)
    buffer, target = unit.next_buffer(rows.outputs)
    entries = rows.outputs * rows.inputs if layer.mask is None else int(layer.mask.sum())
    finished = rows.activation == "identity"
    if entries <= _UNROLLED:
        _unrolled(unit, rows, target)
        finished |= rows.activation == "relu"
    elif layer.mask is not None:
        _sparse(unit, rows, target)
    elif entries <= _COMPACT[rows.bits]:
        _compact(unit, rows, target)
    else:
        add_blocks(unit, rows, target)
        finished |= rows.relu_in_block
    unit.move(buffer, target)
    if rows.row is not None and entries > _UNROLLED:
        add_scale(unit, rows)
    if not finished:
        add_activation(unit, rows.activation, rows.alpha, rows.outputs)


def _scale_columns(unit: Unit, rows: Rows) -> None:
    assert rows.column is not None
    buffer, target = unit.writable(rows.inputs)
    kernel = (
        f"static void scale_columns(const float *x, const {FLASH} int8_t *e, float *y, size_t n) {{\n"
        "  for (size_t i = 0; i < n; ++i) y[i] = x[i] * power_of_two(e[i]);\n}\n"
    )
    name = unit.add_kernel("scale_columns", kernel, "power")
    exponents = unit.add_array(f"columns{rows.index}", rows.column)
    unit.say(f"{name}({unit.here}, {exponents}, {target}, {rows.inputs});")
    unit.move(buffer, target)


def _unrolled(unit: Unit, rows: Rows, target: str) -> None:
    """Every weight as a constant in the code."""
    sums = 1 if rows.mask is not None else partial_sums(rows.inputs, rows.outputs)
    for j in range(rows.outputs):
        used = range(rows.inputs) if rows.mask is None else np.flatnonzero(rows.mask[j]).tolist()
        parts = [spell(rows.start_of(j))] + ["0.0F"] * (sums - 1)
        for k in used:
            parts[k % sums] = f"fused({spell(rows.weight[j, k])}, {unit.here}[{k}], {parts[k % sums]})"
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [f"({parts[i]} + {parts[i + half]})" for i in range(half)]
        total = rows.finished(j, parts[0])
        if "fused(" in total:  # not where nothing is kept
            unit.needs.add("fused")
        unit.say(f"{target}[{j}] = {total};")
    if rows.activation == "relu":
        unit.needs.add("relu")


def _compact(unit: Unit, rows: Rows, target: str) -> None:
    """One loop over the outputs, one over the inputs; the start of each row is in its stream."""
    sums = partial_sums(rows.inputs, rows.outputs)
    streamed = rows.start == "stream"
    name = f"dense_i{rows.bits}_{sums}{'_bias' if streamed else '_array' if rows.start == 'array' else ''}"
    read = "nibble(w, i++)" if rows.bits == 4 else "(float)w[i++]"
    first = read if streamed else "*b++" if rows.start == "array" else "0.0F"
    fold = "".join(
        f"    for (size_t p = 0; p < {half}; ++p) s[p] += s[p + {half}];\n" for half in (8, 4, 2, 1) if half < sums
    )
    bias_pointer = f"const {FLASH} float *b, " if rows.start == "array" else ""
    kernel = (
        f"static void {name}(const {FLASH} {_ELEMENT[rows.bits]} *w, {bias_pointer}"
        "const float *x, float *y, size_t inputs, size_t outputs) {\n"
        "  size_t i = 0;\n"
        "  for (size_t j = 0; j < outputs; ++j) {\n"
        f"    float s[{sums}] = {{{first}}};\n"
        f"    for (size_t k = 0; k < inputs; ++k) s[k % {sums}] = fused({read}, x[k], s[k % {sums}]);\n"
        f"{fold}    y[j] = s[0];\n  }}\n}}\n"
    )
    unit.add_kernel(name, kernel, "fused", *(["nibble"] if rows.bits == 4 else []))
    values = rows.weight if not streamed else np.concatenate([rows.bias[:, None], rows.weight], axis=1)
    weights = unit.add_array(f"weights{rows.index}", stream(values.reshape(-1), rows.bits))
    bias = f"{unit.add_array(f'bias{rows.index}', rows.bias)}, " if rows.start == "array" else ""
    unit.say(f"{name}({weights}, {bias}{unit.here}, {target}, {rows.inputs}, {rows.outputs});")


def _sparse(unit: Unit, rows: Rows, target: str) -> None:
    """Per row one sum over the kept weights in the order of their inputs."""
    assert rows.mask is not None
    kind = index_type(rows.inputs)
    index = f"uint{8 * kind.itemsize}_t"
    streamed = rows.start == "stream"
    name = f"sparse_{rows.bits}_{8 * kind.itemsize}{'_bias' if streamed else '_array' if rows.start == 'array' else ''}"
    read = {32: "w[{i}]", 8: "(float)w[{i}]", 4: "nibble(w, {i})"}[rows.bits]
    first = {"stream": read.format(i="j"), "array": "b[j]", "zero": "0.0F"}[rows.start]
    bias_pointer = f"const {FLASH} float *b, " if rows.start == "array" else ""
    kernel = (
        f"static void {name}(const {FLASH} {_ELEMENT[rows.bits]} *w, {bias_pointer}"
        f"const {FLASH} {index} *counts,\n"
        f"    const {FLASH} {index} *indices, const float *x, float *y, size_t outputs) {{\n"
        f"  size_t i = {'outputs' if streamed else '0'};\n"
        "  for (size_t j = 0; j < outputs; ++j) {\n"
        f"    float s = {first};\n"
        f"    for ({index} n = counts[j]; n > 0; --n, ++i) s = fused({read.format(i='i')}, x[*indices++], s);\n"
        "    y[j] = s;\n  }\n}\n"
    )
    unit.add_kernel(name, kernel, "fused", *(["nibble"] if rows.bits == 4 else []))
    kept: Any = rows.weight[rows.mask]
    values = np.concatenate([rows.bias, kept]) if streamed else kept
    arguments = [unit.add_array(f"weights{rows.index}", stream(values, rows.bits))]
    if rows.start == "array":
        arguments.append(unit.add_array(f"bias{rows.index}", rows.bias))
    arguments.append(unit.add_array(f"counts{rows.index}", np.count_nonzero(rows.mask, axis=1).astype(kind)))
    arguments.append(unit.add_array(f"indices{rows.index}", np.nonzero(rows.mask)[1].astype(kind)))
    unit.say(f"{name}({', '.join(arguments)}, {unit.here}, {target}, {rows.outputs});")
