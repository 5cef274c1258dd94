"""Normalisation by running statistics, folded into a linear layer beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rlcompress.layers import Dense

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Norm:
    """x * factor + offset.

    Args:
        factor, offset: (features,).
    """

    factor: Array
    offset: Array

    @classmethod
    def of(
        cls, mean: Array, variance: Array, eps: float, scale: Array | float = 1.0, bias: Array | float = 0.0
    ) -> Norm:
        """(x - mean) / sqrt(variance + eps) * scale + bias; all (features,) float64, the last two may be numbers."""
        factor = scale / np.sqrt(variance + eps)
        return cls(factor, bias - mean * factor)

    def then(self, layer: Dense) -> Dense:
        """The layer that computes what this and a layer of as many inputs compute; rounded once."""
        weight = layer.weight.astype(np.float64)
        return _rounded(layer, weight * self.factor, layer.bias + weight @ self.offset)

    def behind(self, layer: Dense) -> Dense:
        """The layer that computes what one of as many outputs, without activation, and this compute; rounded once."""
        weight = layer.weight.astype(np.float64) * self.factor[:, None]
        return _rounded(layer, weight, layer.bias * self.factor + self.offset)


def _rounded(layer: Dense, weight: Array, bias: Array) -> Dense:
    return replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
