"""Batch normalisation of torch in evaluation mode, folded into the linear layer before it."""

from __future__ import annotations

from typing import Any

from rlcompress.errors import UnsupportedError
from rlcompress.importers.normalisation import Norm
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
    scale, bias = (1.0, 0.0) if norm.weight is None else (_values(norm.weight), _values(norm.bias))
    return Norm.of(_values(norm.running_mean), _values(norm.running_var), norm.eps, scale, bias).behind(layer)


def _values(tensor: Any) -> Any:
    return tensor.detach().cpu().double().numpy()
