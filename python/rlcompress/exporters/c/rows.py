"""A layer as the C writer sees it: where its sums start, and what follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import BoolArray, FloatArray, Int8Array
from rlcompress.exporters.c.flash import FLASH
from rlcompress.exporters.c.unit import Unit, spell
from rlcompress.layers import Dense, QuantizedDense

Start = Literal["zero", "stream", "array"]


@dataclass(frozen=True, eq=False)
class Rows:
    """A dense or sparse record with float32 sums.

    Args:
        index: of the layer; it is in the names of its arrays.
        bits: 32, 8 or 4.
        weight: (outputs, inputs) float32 or int8.
        bias: (outputs,) float32 or int8.
        start: what the sums start from: zero, a bias of the weights' type in their stream, or a float32 array.
        row: (outputs,) or (1,) float32, or int8 exponents, or None: the factor after the sums.
        late_bias: whether the bias is added after that factor.
        column: (inputs,) int8 exponents, or None.
        mask: (outputs, inputs): the entries of a sparse record, or None.
        activation, alpha: as in `Dense`.
    """

    index: int
    bits: int
    weight: npt.NDArray[Any]
    bias: npt.NDArray[Any]
    start: Start
    row: FloatArray | Int8Array | None
    late_bias: bool
    column: Int8Array | None
    mask: BoolArray | None
    activation: str
    alpha: float

    @staticmethod
    def of(layer: Dense | QuantizedDense, index: int) -> Rows:
        bits, row, column = 32, None, None
        if isinstance(layer, QuantizedDense):
            bits, column = layer.bits, layer.column_exponent
            row = layer.row_scale if layer.row_scale is not None else layer.row_exponent
        own_type = layer.bias.dtype == layer.weight.dtype
        late = row is not None and layer.bias.dtype == np.float32
        start: Start = "stream" if own_type else "array"
        if late or not layer.bias.any():
            start = "zero"
        alpha, mask = layer.alpha, layer.mask
        return Rows(index, bits, layer.weight, layer.bias, start, row, late, column, mask, layer.activation, alpha)

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.weight.shape[1])

    @property
    def relu_in_block(self) -> bool:
        """Whether a kernel that works in blocks applies the activation: a relu with nothing before it."""
        return self.activation == "relu" and self.row is None

    def start_of(self, j: int) -> float:
        return 0.0 if self.start == "zero" else float(self.bias[j])

    def factor_of(self, j: int) -> float:
        assert self.row is not None
        value = self.row[j if self.row.size > 1 else 0]
        return float(value) if self.row.dtype == np.float32 else 2.0 ** int(value)

    def finished(self, j: int, total: str) -> str:
        """C of output j from its sum: row scale, late bias, and where that is all, the relu."""
        if self.row is not None:
            factor = spell(self.factor_of(j))
            total = (
                f"fused({total}, {factor}, {spell(float(self.bias[j]))})" if self.late_bias else f"{total} * {factor}"
            )
        return f"relu_of({total})" if self.activation == "relu" else total


def add_activation(unit: Unit, activation: str, alpha: float, outputs: int) -> None:
    """The activation of values in place."""
    if activation == "identity":
        return
    unit.needs.add(f"{activation}_all")
    parameter = f", {spell(alpha)}" if activation in ("elu", "leaky_relu") else ""
    unit.say(f"{activation}_all({unit.here}, {outputs}{parameter});")


def add_scale(unit: Unit, rows: Rows) -> None:
    """Row scale and late bias of the sums, in place."""
    assert rows.row is not None
    exponents = rows.row.dtype == np.int8
    common = rows.row.size == 1 and rows.outputs > 1
    form = "one" if common else "exponents" if exponents else "floats"
    name = f"scale_rows_{form}{'_bias' if rows.late_bias else ''}"
    parameter = {"one": "float r", "exponents": f"const {FLASH} int8_t *r", "floats": f"const {FLASH} float *r"}[form]
    factor = {"one": "r", "exponents": "power_of_two(r[j])", "floats": "r[j]"}[form]
    value = f"fused(y[j], {factor}, b[j])" if rows.late_bias else f"y[j] * {factor}"
    bias_pointer = f", const {FLASH} float *b" if rows.late_bias else ""
    kernel = (
        f"static void {name}(float *y, {parameter}{bias_pointer}, size_t n) {{\n"
        f"  for (size_t j = 0; j < n; ++j) y[j] = {value};\n}}\n"
    )
    needs = (["fused"] if rows.late_bias else []) + (["power"] if form == "exponents" else [])
    unit.add_kernel(name, kernel, *needs)
    scale = spell(rows.factor_of(0)) if common else unit.add_array(f"scale{rows.index}", rows.row)
    bias = f", {unit.add_array(f'bias{rows.index}', rows.bias)}" if rows.late_bias else ""
    unit.say(f"{name}({unit.here}, {scale}{bias}, {rows.outputs});")
