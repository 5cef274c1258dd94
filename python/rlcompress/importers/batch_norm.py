"""Batch normalisation of torch in evaluation mode, folded into the linear layer before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rlcompress.errors import UnsupportedError
from rlcompress.layers import Dense
from rlcompress.optional import require


def is_batch_norm(leaf: Any) -> bool:
    """Whether a module is exactly `nn.BatchNorm1d`."""
    return type(leaf) is require("torch").nn.BatchNorm1d


def folded(layer: Dense, norm: Any, path: str) -> Dense:
    """The linear layer that computes what it and the normalisation compute, in float64, rounded to float32 once.

    Args:
        layer: without activation.
        norm: `nn.BatchNorm1d` of as many features.
        path: of the module, for messages.

    Raises:
        UnsupportedError: no running statistics, so that it normalises by the batch; other features.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise UnsupportedError(f"{path}: BatchNorm1d without running statistics depends on the batch; not supported")
    if norm.num_features != layer.out_features:
        raise UnsupportedError(f"{path}: {layer.out_features} features expected, found {norm.num_features}")
    mean, variance = _values(norm.running_mean), _values(norm.running_var)
    factor = 1.0 / np.sqrt(variance + norm.eps)
    offset = -mean * factor
    if norm.weight is not None:
        factor, offset = factor * _values(norm.weight), offset * _values(norm.weight) + _values(norm.bias)
    weight = layer.weight.astype(np.float64) * factor[:, None]
    bias = layer.bias.astype(np.float64) * factor + offset
    return replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _values(tensor: Any) -> Any:
    return tensor.detach().cpu().double().numpy()
