"""A binary network of one output as one of two outputs, one per class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rlcompress.contract import Argmax
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network


def two_outputs(source: Any) -> Network:
    """The network with one output per class, of which the larger tells the class that the one output told.

    Args:
        source: a `Network` of one output, or what `compress` takes as one; a logit of class 1 (class 0 below 0), or a
            sigmoid of it (class 0 below 0.5).

    Returns:
        The head is argmax. Softmax gives the probabilities that the sigmoid gave.

    Raises:
        InvalidValueError: several outputs, or another activation at the end.
        ImportFormatError, UnsupportedError: as for `load_policy`.
    """
    from rlcompress.importers import as_network

    network = as_network(source).dense_float()
    last = network.dense_layers()[-1]
    if last.out_features != 1 or last.activation not in ("identity", "sigmoid"):
        raise InvalidValueError(
            f"network: one output, a logit or its sigmoid, expected, found {last.out_features} through "
            f"{last.activation}"
        )
    layers = (*network.layers[:-1], split_in_two(last))
    return replace(network, layers=layers, contract=replace(network.contract, head=Argmax()))


def split_in_two(layer: Dense) -> Dense:
    """Half of the one output each way: the larger is the class, and softmax gives the same probabilities."""
    half = np.array([[-0.5], [0.5]], np.float32)
    mask = None if layer.mask is None else np.concatenate([layer.mask, layer.mask])
    return Dense(layer.weight * half, layer.bias * half.ravel(), mask=mask)
