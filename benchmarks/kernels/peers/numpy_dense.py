"""NumPy with every buffer made in advance."""

from __future__ import annotations

from typing import Any

import numpy as np
from timing import Prepared, inlined
from work import DenseWork


def buffered(work: DenseWork) -> Prepared:
    """`np.dot(..., out=)`, bias and relu in place."""
    names: dict[str, Any] = {"dot": np.dot, "add": np.add, "maximum": np.maximum}
    names["x"] = work.x[0] if work.batch == 1 else work.x
    steps: list[str] = []
    for i, layer in enumerate(work.network.dense_layers(), 1):
        names[f"w{i}"] = np.ascontiguousarray(layer.weight.T)
        names[f"b{i}"] = np.asarray(layer.bias)
        names[f"y{i}"] = np.empty((*names["x"].shape[:-1], layer.out_features), np.float32)
        steps += [f"dot({f'y{i - 1}' if i > 1 else 'x'}, w{i}, y{i})", f"add(y{i}, b{i}, y{i})"]
        steps += [f"maximum(y{i}, 0, y{i})"] if layer.activation == "relu" else []
    return inlined(steps, names, [one[0] for one in work.turns])
