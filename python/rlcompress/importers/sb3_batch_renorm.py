"""The batch renormalisation of CrossQ's actor, folded into the linear layers behind it."""

from __future__ import annotations

import re

import numpy as np

from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.normalisation import Norm
from rlcompress.importers.sb3_layers import linear
from rlcompress.importers.torch_state import StateDict
from rlcompress.layers import Dense
from rlcompress.layers.activation import Activation


def is_normed(state: StateDict, prefix: str) -> bool:
    """Whether the first module is a normalisation."""
    return f"{prefix}0.ra_mean" in state


def normed_chain(state: StateDict, prefix: str, activation: Activation, eps: float, last: Dense) -> tuple[Dense, ...]:
    """Linear layers with a normalisation before each.

    Args:
        state: of the policy.
        prefix: of the `nn.Sequential`: normalisation, linear, activation, normalisation, ..., normalisation.
        activation: behind each of its linear layers.
        eps: added to the variances.
        last: the linear layer behind the last normalisation.

    Raises:
        ImportFormatError: shapes that do not fit.
        UnsupportedError: other modules with parameters among them.
    """
    keys = [key[len(prefix) :] for key in state.tensors if key.startswith(prefix)]
    numbers = {int(found[1]) for found in (re.match(r"(\d{1,4})\.", key) for key in keys) if found}
    end = max(numbers)
    if numbers != {number for number in range(end + 1) if number % 3 != 2} or end % 3:
        raise UnsupportedError(
            f"{state.name}: {prefix}* has modules with parameters at {sorted(numbers)}, not linear layers between "
            "normalisations: only plain MLP policies are supported"
        )
    layers = (*(linear(state, f"{prefix}{number + 1}.", activation) for number in range(0, end, 3)), last)
    return tuple(
        _normed(state, f"{prefix}{number}.", eps, layer) for number, layer in zip(range(0, end + 1, 3), layers)
    )


def _normed(state: StateDict, prefix: str, eps: float, layer: Dense) -> Dense:
    """A linear layer and the normalisation of its inputs."""
    mean, variance, scale, bias = (
        state.array(prefix + name, dimensions=1).astype(np.float64) for name in ("ra_mean", "ra_var", "scale", "bias")
    )
    if not mean.shape == variance.shape == scale.shape == bias.shape or (variance + eps <= 0).any():
        raise ImportFormatError(f"{state.name}: {prefix}*: one mean, scale, bias and variance >= 0 each expected")
    if mean.shape != (layer.in_features,):
        raise ImportFormatError(f"{state.name}: {prefix}*: {layer.in_features} features expected, found {mean.size}")
    return Norm.of(mean, variance, eps, scale, bias).then(layer)
