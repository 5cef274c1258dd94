"""Sizes of layers that are one matrix of weights with biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.arrays import BoolArray


class WeightMatrix:
    """What follows from the shape of `weight`, (out_features, in_features), and from `mask`, True = kept or None."""

    weight: Any
    mask: BoolArray | None

    @property
    def in_features(self) -> int:
        return int(self.weight.shape[1])

    @property
    def out_features(self) -> int:
        return int(self.weight.shape[0])

    @property
    def kept_weights(self) -> int:
        """Weights that the mask keeps."""
        return int(self.weight.size if self.mask is None else np.count_nonzero(self.mask))

    @property
    def parameter_count(self) -> int:
        """Kept weights and biases."""
        return self.kept_weights + self.out_features

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.kept_weights
