"""Small trained networks for the tests of PuRL."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.network import Network

QUICK: dict[str, Any] = {"target_sparsity": 0.7, "evaluations": 40, "pareto": 2}


def labelled(rows: int = 400, seed: int = 0) -> tuple[Any, Any]:
    """Rows of 8 values; the class is the largest of the first three."""
    x = np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)
    return x, x[:, :3].argmax(axis=1)


def solver(seed: int = 1, hidden: int = 12) -> Network:
    """A network that solves `labelled` exactly, with noise in the weights that need not be there."""
    rng = np.random.default_rng(seed)
    first = 0.02 * rng.standard_normal((hidden, 8))
    for unit in range(6):
        first[unit, unit // 2] += 1.0 if unit % 2 == 0 else -1.0
    last = 0.02 * rng.standard_normal((3, hidden))
    for unit in range(6):
        last[unit // 2, unit] += 1.0 if unit % 2 == 0 else -1.0
    layers = (
        Dense(first.astype(np.float32), np.zeros(hidden, np.float32), "relu"),
        Dense(last.astype(np.float32), np.zeros(3, np.float32)),
    )
    return Network(layers, Contract((8,), Argmax()))
