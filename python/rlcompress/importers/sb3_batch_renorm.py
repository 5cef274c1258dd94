"""The batch renormalisation of CrossQ's actor, folded into the linear layers behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.sb3_layers import linear
from rlcompress.importers.torch_state import StateDict
from rlcompress.layers import Dense
from rlcompress.layers.activation import Activation


@dataclass(frozen=True, eq=False)
class Norm:
    """x * factor + offset, as normalisation by running statistics is.

    Args:
        name: of the file and its entry, for messages.
        factor, offset: (features,).
    """

    name: str
    factor: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def before(self, layer: Dense) -> Dense:
        """The linear layer that computes what this and it compute, in float64, rounded to float32 once.

        Raises:
            ImportFormatError: another number of features.
        """
        if self.factor.shape != (layer.in_features,):
            raise ImportFormatError(
                f"{self.name}: batch renormalisation: {layer.in_features} features expected, found {self.factor.size}"
            )
        weight = layer.weight.astype(np.float64)
        bias = layer.bias + weight @ self.offset
        return replace(layer, weight=(weight * self.factor).astype(np.float32), bias=bias.astype(np.float32))


def is_normed(state: StateDict, prefix: str) -> bool:
    """Whether the first module is a normalisation."""
    return f"{prefix}0.ra_mean" in state


def normed_chain(state: StateDict, prefix: str, activation: Activation, eps: float) -> tuple[tuple[Dense, ...], Norm]:
    """Linear layers with a normalisation before each, and the normalisation behind the last activation.

    Args:
        state: of the policy.
        prefix: of the `nn.Sequential`: normalisation, linear, activation, normalisation, ..., normalisation.
        activation: behind each linear layer.
        eps: added to the variances.

    Raises:
        ImportFormatError: shapes that do not fit.
        UnsupportedError: other modules with parameters among them.
    """
    keys = [key[len(prefix) :] for key in state.tensors if key.startswith(prefix)]
    numbers = {int(found[1]) for found in (re.match(r"(\d{1,4})\.", key) for key in keys) if found}
    last = max(numbers)
    if numbers != {number for number in range(last + 1) if number % 3 != 2} or last % 3:
        raise UnsupportedError(
            f"{state.name}: {prefix}* has modules with parameters at {sorted(numbers)}, not linear layers between "
            "normalisations: only plain MLP policies are supported"
        )
    layers = tuple(
        _norm(state, f"{prefix}{number}.", eps).before(linear(state, f"{prefix}{number + 1}.", activation))
        for number in range(0, last, 3)
    )
    return layers, _norm(state, f"{prefix}{last}.", eps)


def _norm(state: StateDict, prefix: str, eps: float) -> Norm:
    mean, variance, scale, bias = (
        state.array(prefix + name, dimensions=1).astype(np.float64) for name in ("ra_mean", "ra_var", "scale", "bias")
    )
    if not mean.shape == variance.shape == scale.shape == bias.shape or (variance + eps <= 0).any():
        raise ImportFormatError(f"{state.name}: {prefix}*: one mean, scale, bias and variance >= 0 each expected")
    factor = scale / np.sqrt(variance + eps)
    return Norm(f"{state.name}: {prefix}*", factor, bias - mean * factor)
