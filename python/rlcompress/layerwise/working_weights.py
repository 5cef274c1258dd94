"""The weights of a working copy, set to what a plan keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlcompress.layerwise.prunable import Prunable, layer_mask
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


class WorkingWeights:
    """Masked weights on a copy that shares the dense ones; only a layer that is pruned takes memory of its own.

    Args:
        prunable: whose layers.
        model: a `working_copy` of it.
    """

    def __init__(self, prunable: Prunable, model: torch.nn.Module) -> None:
        self.prunable = prunable
        owners = [prunable.owner(model, index) for index in range(len(prunable.layers))]
        self.modules = [module for module, _ in owners]
        self.parameters: list[torch.nn.Parameter] = [getattr(module, name) for module, name in owners]
        self.dense = [parameter.data for parameter in self.parameters]
        self._kept: list[int | None] = list(prunable.ceilings)

    def set(self, kept: Sequence[int], first: int = 0) -> None:
        """Put layers `first` and later under these counts."""
        for index in range(first, len(self.parameters)):
            if self._kept[index] != kept[index]:
                self.parameters[index].data = self._masked(index, kept[index])
                self._kept[index] = kept[index]

    def replace(self, index: int, weight: torch.Tensor) -> None:
        """Put another weight in a layer's place, until it is set again."""
        self.parameters[index].data = weight
        self._kept[index] = None

    def mask(self, index: int, kept: int) -> torch.Tensor:
        """Mask of a layer on its device."""
        layer = self.prunable.layers[index]
        mask: torch.Tensor = require("torch").from_numpy(layer_mask(layer, kept))
        return mask.to(self.dense[index].device)

    def _masked(self, index: int, kept: int) -> torch.Tensor:
        dense = self.dense[index]
        if kept == self.prunable.layers[index].ceiling:
            return dense
        return dense.masked_fill(~self.mask(index, kept), 0)
