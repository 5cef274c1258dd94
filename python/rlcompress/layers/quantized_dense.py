"""Dense layer with int8 or int4 weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rlcompress.arrays import BoolArray, FloatArray, Int8Array, frozen, same_array
from rlcompress.errors import InvalidValueError
from rlcompress.layers.activation import Activation, check_activation
from rlcompress.layers.dense import Dense
from rlcompress.layers.weight_matrix import WeightMatrix

INTEGER_LIMIT = {8: 127, 4: 7}
EXPONENT_LIMIT = 120


@dataclass(frozen=True, eq=False)
class QuantizedDense(WeightMatrix):
    """`y = activation(row * (weight @ (x * 2^column_exponent) + integer bias))`, or with a float32 bias `row * (...) +
    bias`.

    Args:
        weight: (out_features, in_features) integers in -127..127 (bits 8) or -7..7 (bits 4), as int8.
        bias: (out_features,) integers as the weights (in units of the row scale), or float32.
        bits: 8 or 4.
        activation, alpha: as in `Dense`.
        row_scale: (out_features,) float32 > 0, or None.
        row_exponent: (1,) or (out_features,) int8: the row scale as powers of two, or None. At most one of the two is
            given; none = 1.
        column_exponent: (in_features,) int8: powers of two on the inputs, or None.
        mask: (out_features, in_features) bool, True = kept, as in `Dense`.
    """

    weight: Int8Array
    bias: Int8Array | FloatArray
    bits: Literal[8, 4]
    activation: Activation = "identity"
    alpha: float = 0.0
    row_scale: FloatArray | None = None
    row_exponent: Int8Array | None = None
    column_exponent: Int8Array | None = None
    mask: BoolArray | None = None

    kind: ClassVar[str] = "quantized_dense"

    def __post_init__(self) -> None:
        check_activation(self.activation, self.alpha)
        if self.bits not in INTEGER_LIMIT:
            raise InvalidValueError(f"bits: 8 or 4 expected, found {self.bits}")
        weight = frozen(self.weight, np.int8, (None, None), "quantized weight")
        rows, columns = weight.shape
        if self.mask is not None:
            mask = frozen(self.mask, np.bool_, weight.shape, "quantized mask")
            object.__setattr__(self, "mask", mask)
            weight = frozen(weight * mask, np.int8, weight.shape, "quantized weight")
        integer_bias = np.asarray(self.bias).dtype.kind in "iu"
        bias = frozen(self.bias, np.int8 if integer_bias else np.float32, (rows,), "quantized bias")
        for name, array in (("weight", weight), ("bias", bias)):
            if array.dtype == np.int8 and array.size and np.abs(array.astype(int)).max() > INTEGER_LIMIT[self.bits]:
                raise InvalidValueError(f"quantized {name}: values within +-{INTEGER_LIMIT[self.bits]} expected")
        if not integer_bias:
            bias = frozen(bias + np.float32(0), np.float32, bias.shape, "quantized bias")  # no -0
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)
        object.__setattr__(self, "alpha", float(np.float32(self.alpha)))
        if self.row_scale is not None and self.row_exponent is not None:
            raise InvalidValueError("row_scale and row_exponent: give at most one")
        if self.row_scale is not None:
            scale = frozen(self.row_scale, np.float32, (rows,), "row_scale")
            if not (scale > 0).all():
                raise InvalidValueError(f"row_scale: values > 0 expected, found {scale.min()}")
            object.__setattr__(self, "row_scale", scale)
        if self.row_exponent is not None:
            size = 1 if np.size(self.row_exponent) == 1 else rows
            object.__setattr__(self, "row_exponent", frozen_exponents(self.row_exponent, size, "row_exponent"))
        if self.column_exponent is not None:
            object.__setattr__(
                self, "column_exponent", frozen_exponents(self.column_exponent, columns, "column_exponent")
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantizedDense):
            return NotImplemented
        arrays = ("weight", "bias", "row_scale", "row_exponent", "column_exponent", "mask")
        return (self.bits, self.activation, self.alpha) == (other.bits, other.activation, other.alpha) and all(
            same_array(getattr(self, name), getattr(other, name)) for name in arrays
        )

    def row_factor(self) -> FloatArray:
        """(out_features,) float32: the row scale in whichever form it is stored."""
        if self.row_scale is not None:
            return self.row_scale
        if self.row_exponent is None:
            return np.ones(self.out_features, np.float32)
        return np.broadcast_to(np.exp2(self.row_exponent.astype(np.float32)), (self.out_features,)).astype(np.float32)

    def dense_float(self) -> Dense:
        """The layer as float32 weights; equal up to float32 rounding, not to the bit."""
        row = self.row_factor()
        column = np.ones(self.in_features, np.float32)
        if self.column_exponent is not None:
            column = np.exp2(self.column_exponent.astype(np.float32))
        weight = self.weight.astype(np.float32) * row[:, None] * column[None, :]
        bias = self.bias if self.bias.dtype == np.float32 else self.bias.astype(np.float32) * row
        return Dense(weight, np.asarray(bias, np.float32), self.activation, self.alpha, self.mask)


def frozen_exponents(value: object, size: int, name: str) -> Int8Array:
    """Exponents of powers of two that the format holds, as a read-only (size,) array."""
    array = frozen(value, np.int8, (size,), name)
    if np.abs(array.astype(int)).max() > EXPONENT_LIMIT:
        raise InvalidValueError(f"{name}: values within +-{EXPONENT_LIMIT} expected, found {array.tolist()}")
    return array
