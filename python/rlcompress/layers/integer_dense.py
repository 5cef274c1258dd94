"""Dense layer with integer sums: int8 weights, inputs rounded to bytes, exact int32 sums; its scales are float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import BoolArray, FloatArray, Int8Array, frozen, same_array
from rlcompress.errors import InvalidValueError
from rlcompress.layers.activation import Activation, check_activation
from rlcompress.layers.dense import Dense
from rlcompress.layers.quantized_dense import frozen_exponents
from rlcompress.layers.weight_matrix import WeightMatrix

INPUT_LIMIT = 65_536
LARGEST_PRODUCT = 255 * 127
WEIGHT_LIMIT = 127


@dataclass(frozen=True, eq=False)
class IntegerDense(WeightMatrix):
    """`y = activation(row_scale * (weight @ q + bias))` of `q = clip(round(x * input_scale) + input_zero, 0, 255)`.

    Args:
        weight: (out_features, in_features) integers in -127..127, as int8; at most 65,536 inputs.
        bias: (out_features,) int32 in units of the row scale, what `input_zero` adds to the sums taken off; within
            +-(2^31 - 1 - 32,385 * in_features), so that no sum overflows.
        input_scale: steps of one unit of x, finite and > 0.
        input_zero: the byte of x = 0, 0..255.
        row_scale: (out_features,) float32 > 0: what one step of a sum is worth.
        activation, alpha: as in `Dense`.
        column_exponent: (in_features,) int8: powers of two on the inputs before they are rounded, or None.
        mask: (out_features, in_features) bool, True = kept, as in `Dense`; never stored.
    """

    weight: Int8Array
    bias: npt.NDArray[np.int32]
    input_scale: float
    input_zero: int
    row_scale: FloatArray
    activation: Activation = "identity"
    alpha: float = 0.0
    column_exponent: Int8Array | None = None
    mask: BoolArray | None = None

    kind: ClassVar[str] = "integer_dense"
    bits: ClassVar[int] = 8

    def __post_init__(self) -> None:
        check_activation(self.activation, self.alpha)
        weight = frozen(self.weight, np.int8, (None, None), "integer weight")
        rows, columns = weight.shape
        if self.mask is not None:
            mask = frozen(self.mask, np.bool_, weight.shape, "integer mask")
            object.__setattr__(self, "mask", mask)
            weight = frozen(weight * mask, np.int8, weight.shape, "integer weight")
        if columns > INPUT_LIMIT:
            raise InvalidValueError(f"integer weight: at most {INPUT_LIMIT} inputs expected, found {columns}")
        if weight.size and weight.min() < -WEIGHT_LIMIT:
            raise InvalidValueError(f"integer weight: values within +-{WEIGHT_LIMIT} expected, found {weight.min()}")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", _bias(self.bias, rows, columns))
        scale = frozen(self.row_scale, np.float32, (rows,), "row_scale")
        if not (scale > 0).all():
            raise InvalidValueError(f"row_scale: values > 0 expected, found {scale.min()}")
        object.__setattr__(self, "row_scale", scale)
        object.__setattr__(self, "input_scale", _input_scale(self.input_scale))
        if int(self.input_zero) != self.input_zero or not 0 <= self.input_zero <= 255:
            raise InvalidValueError(f"input_zero: an integer of 0..255 expected, found {self.input_zero}")
        object.__setattr__(self, "input_zero", int(self.input_zero))
        object.__setattr__(self, "alpha", float(np.float32(self.alpha)))
        if self.column_exponent is not None:
            exponent = frozen_exponents(self.column_exponent, columns, "column_exponent")
            object.__setattr__(self, "column_exponent", exponent)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntegerDense):
            return NotImplemented
        numbers = ("activation", "alpha", "input_scale", "input_zero")
        arrays = ("weight", "bias", "row_scale", "column_exponent", "mask")
        return all(getattr(self, name) == getattr(other, name) for name in numbers) and all(
            same_array(getattr(self, name), getattr(other, name)) for name in arrays
        )

    def steps(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """`x` (..., in_features) in steps of the inputs' grid, neither rounded nor clipped."""
        scale = np.float64(self.input_scale)
        if self.column_exponent is None:
            return np.asarray(x, np.float64) * scale
        return np.asarray(x, np.float64) * np.exp2(self.column_exponent.astype(np.float64)) * scale

    def dense_float(self) -> Dense:
        """The layer as float32 weights on inputs that are not rounded: equal up to half a step of each input, and only
        where x lies within the grid.
        """
        row = self.row_scale.astype(np.float64)
        weight = self.weight * row[:, None] * self.steps(np.ones(self.in_features))
        bias = (self.bias + self.input_zero * self.weight.sum(1, dtype=np.int64)) * row
        return Dense(weight.astype(np.float32), bias.astype(np.float32), self.activation, self.alpha, self.mask)


def _bias(value: object, rows: int, columns: int) -> npt.NDArray[np.int32]:
    bias = frozen(value, np.int32, (rows,), "integer bias")
    most = (1 << 31) - 1 - LARGEST_PRODUCT * columns
    largest = int(np.abs(bias.astype(np.int64)).max(initial=0))
    if largest > most:
        raise InvalidValueError(
            f"integer bias: values within +-{most} expected, found {largest}; take a coarser row_scale"
        )
    return bias


def _input_scale(value: float) -> float:
    with np.errstate(over="ignore"):
        scale = float(np.float32(value))
    if not 0 < scale < np.inf:
        raise InvalidValueError(f"input_scale: a finite float32 > 0 expected, found {value}")
    return scale
