"""Dense layer with float32 weights, optionally masked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rlcompress.arrays import BoolArray, FloatArray, frozen, same_array
from rlcompress.layers.activation import Activation, check_activation
from rlcompress.layers.weight_matrix import WeightMatrix


@dataclass(frozen=True, eq=False)
class Dense(WeightMatrix):
    """`y = activation(weight @ x + bias)`.

    Args:
        weight: (out_features, in_features) float32, finite; zero where the mask is False.
        bias: (out_features,) float32, finite.
        activation: applied to the sum.
        alpha: slope of leaky_relu or scale of elu; 0 for all others.
        mask: (out_features, in_features) bool, True = kept; None = every weight kept. A masked layer is stored in the
            sparse layout when that is smaller.
    """

    weight: FloatArray
    bias: FloatArray
    activation: Activation = "identity"
    alpha: float = 0.0
    mask: BoolArray | None = None

    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        check_activation(self.activation, self.alpha)
        weight = frozen(self.weight, np.float32, (None, None), "dense weight")
        if self.mask is not None:
            mask = frozen(self.mask, np.bool_, weight.shape, "dense mask")
            object.__setattr__(self, "mask", mask)
            weight = frozen(np.where(mask, weight, np.float32(0)), np.float32, weight.shape, "dense weight")
        object.__setattr__(self, "weight", weight)
        bias = frozen(self.bias, np.float32, (weight.shape[0],), "dense bias")
        object.__setattr__(self, "bias", frozen(bias + np.float32(0), np.float32, bias.shape, "dense bias"))  # no -0
        object.__setattr__(self, "alpha", float(np.float32(self.alpha)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dense):
            return NotImplemented
        return (
            (self.activation, self.alpha) == (other.activation, other.alpha)
            and same_array(self.weight, other.weight)
            and same_array(self.bias, other.bias)
            and same_array(self.mask, other.mask)
        )

    def with_mask(self, mask: BoolArray | None) -> Dense:
        """The same layer under another mask."""
        return replace(self, mask=mask)

    def dense_float(self) -> Dense:
        """The layer as plain float32 weights (itself)."""
        return self
