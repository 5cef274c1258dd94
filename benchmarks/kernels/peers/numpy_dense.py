"""NumPy with every buffer made in advance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from timing import Prepared
from work import DenseWork


def buffered(work: DenseWork) -> Prepared:
    """`np.dot(..., out=)`, bias and relu in place."""
    steps: list[Callable[[], object]] = []
    x = work.x[0] if work.batch == 1 else work.x
    for layer in work.network.dense_layers():
        weight = np.ascontiguousarray(layer.weight.T)
        y = np.empty((*x.shape[:-1], layer.out_features), np.float32)
        steps.append(_layer(x, weight, np.asarray(layer.bias), y, layer.activation == "relu"))
        x = y

    def call() -> None:
        for step in steps:
            step()

    return Prepared(call, lambda: x)


def _layer(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, relu: bool) -> Callable[[], object]:
    dot, add, maximum = np.dot, np.add, np.maximum

    def step() -> None:
        dot(x, weight, y)
        add(y, bias, y)
        if relu:
            maximum(y, 0, y)

    return step
