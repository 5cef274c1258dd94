"""Hand-written CartPole policies: teachers that need no training and no file."""

from __future__ import annotations

import numpy as np

from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.network import Network

LEAN = np.array([0.02, 0.1, 1.0, 0.3])
"""Push right when this much of the observation is positive: balances for all 500 steps."""


def linear(direction: float = 1.0) -> Network:
    """Two rows that balance the pole; with direction -1 they push it over."""
    return Network((Dense(direction * np.stack([-LEAN, LEAN]), np.zeros(2)),), Contract((4,), Argmax()))


def redundant(width: int = 16) -> Network:
    """The same decisions from a wide hidden layer, of which two neurons would do."""
    rng = np.random.default_rng(0)
    sign = np.where(np.arange(width) % 2, 1.0, -1.0)[:, None]
    first = Dense(sign * LEAN + rng.normal(0, 0.01, (width, 4)), np.zeros(width), "relu")
    last = Dense(np.stack([-sign[:, 0], sign[:, 0]]), np.zeros(2))
    return Network((first, last), Contract((4,), Argmax()), {"algorithm": "DQN"})
