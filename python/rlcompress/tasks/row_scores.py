"""Scores of a network row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.contract import Argmax
from rlcompress.network import Network
from rlcompress.problem import Float64Array
from rlcompress.runtime import Runtime
from rlcompress.tasks.labelled import Targets
from rlcompress.tasks.row_checks import Metric
from rlcompress.tasks.row_pools import Pool
from rlcompress.tasks.row_splits import IndexArray

_BLOCK = 4096


def row_scores(network: Network, pool: Pool, units: IndexArray, metric: Metric) -> Float64Array:
    """1 or 0 per row (its class was found or not), or the negative squared error, mean over outputs.

    Args:
        network: of any head that fits.
        pool: rows and targets.
        units: which of the pool's rows.
        metric: of the task.
    """
    runtime = Runtime(network)
    shape = network.contract.observation_shape
    scores = []
    for at in range(0, len(units), _BLOCK):
        rows = pool.rows[units[at : at + _BLOCK]]
        found = runtime(pool.x[rows].reshape(-1, *shape))
        scores.append(
            _squared_errors(found, pool.y[rows]) if metric == "squared_error" else _hits(network, found, pool.y[rows])
        )
    return np.concatenate(scores)


def _squared_errors(found: Any, y: Targets) -> Float64Array:
    error = found.astype(np.float64) - y.reshape(len(y), -1)
    values: Float64Array = -np.mean(error**2, axis=1)
    return values


def _hits(network: Network, found: Any, y: Targets) -> Float64Array:
    head = network.contract.head
    chosen = found - head.start if isinstance(head, Argmax) else np.argmax(found, axis=1)
    return np.asarray(chosen == y, np.float64)
