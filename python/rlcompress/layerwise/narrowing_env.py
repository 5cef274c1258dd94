"""`NarrowingEnv`: a Gymnasium environment that makes one hidden layer narrower per step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.layerwise.narrowing_state import OBSERVATION, observe
from rlcompress.layerwise.narrowing_step import KEEP_SHARES, NarrowingRules, narrow, score_of
from rlcompress.layerwise.rewards import cubic_reward
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.tasks.dataset import DatasetTask

if TYPE_CHECKING:
    from gymnasium import Env
else:  # this module is itself loaded on first use; Gymnasium must be there for the base class
    Env = require("gymnasium").Env

SAMPLE_ROWS = 1000
_BOUND = 100.0  # of a signed logarithm: nothing finite reaches it


class NarrowingEnv(Env[FloatArray, np.int64]):
    """One hidden layer per step, first to last, several passes; an action says which share of its width stays.

    The observation is that of `narrowing_state.observe`. A step gives the touching layers fresh weights and trains them
    (or keeps the largest neurons, see `NarrowingRules`); nothing is taken back. The reward is cubic in the percent that
    went, with the sign of the change of the score on the `search` split against the original network's.

    `info` holds `network`, `widths`, `layer`, `keep`, `change` (points) and `ratio` (parameters before / now).

    Args:
        network: float32 dense layers with at least one hidden one.
        task: rows to train on and to judge by.
        rules: passes, tolerance, mode and training.

    Raises:
        InvalidValueError: the network does not fit the task.
        UnsupportedError: no hidden layer, too many layers, or a task of no rows.

    Source: Hirsch and Katz, Multi-objective pruning of dense neural networks using deep reinforcement learning (2022).
    """

    metadata: dict[str, Any] = {"render_modes": []}
    network: Network

    def __init__(self, network: Network, task: DatasetTask, rules: NarrowingRules | None = None) -> None:
        self.rules = rules or NarrowingRules()
        self.original, self.task = check_narrowable(network, task), task
        self.rows = sample_rows(task)
        self.baseline = score_of(network, task)
        spaces = require("gymnasium.spaces")
        self.observation_space = spaces.Box(-_BOUND, _BOUND, (OBSERVATION,), np.float32)
        self.action_space = spaces.Discrete(len(KEEP_SHARES))
        self._start()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start again from the original network."""
        super().reset(seed=seed)
        self._start()
        return self._observation(), self._info(None, 1.0)

    def step(self, action: np.int64) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Narrow the next layer.

        Raises:
            InvalidValueError: no such action, or the episode is over.
        """
        if self._at == self.rules.steps(self.original):
            raise InvalidValueError("the episode is over: every pass is done; call reset()")
        if not self.action_space.contains(action):
            raise InvalidValueError(f"action: 0..{len(KEEP_SHARES) - 1} expected, found {action!r}")
        layer, keep = self.rules.layer_at(self.original, self._at), KEEP_SHARES[int(action)]
        seed = int(self.np_random.integers(2**31))
        self.network = narrow(self.network, layer, keep, self.task, self.rules, seed)
        self._at += 1
        info = self._info(layer, keep)
        reward = cubic_reward(100 * (1 - keep), info["change"], self.rules.tolerance)
        return self._observation(), float(reward), self._at == self.rules.steps(self.original), False, info

    def _start(self) -> None:
        self._at, self.network = 0, self.original

    def _observation(self) -> FloatArray:
        return observe(self.network, self.rules.layer_at(self.original, self._at), self.rows)

    def _info(self, layer: int | None, keep: float) -> dict[str, Any]:
        return {
            "network": self.network,
            "widths": self.network.widths,
            "layer": layer,
            "keep": keep,
            "change": 0.0 if self.network is self.original else score_of(self.network, self.task) - self.baseline,
            "ratio": self.original.parameter_count / self.network.parameter_count,
        }


def check_narrowable(network: Network, task: Any) -> Network:
    """The network with plain float32 layers, found fit to be narrowed on this task.

    Raises:
        InvalidValueError: it does not fit the task.
        UnsupportedError: no hidden layer, or a task without labelled rows.
    """
    if not isinstance(task, DatasetTask):
        raise UnsupportedError(f"{task.name}: rows with labels are needed to train layers anew; give a DatasetTask")
    task.check(network)
    if len(network.layers) < 2:
        raise UnsupportedError("network: at least one hidden layer to narrow expected, found none")
    return network.dense_float()


def sample_rows(task: DatasetTask) -> FloatArray:
    """Training rows that networks are observed on: the first `SAMPLE_ROWS` of the deal, which mixes classes."""
    return task.training_rows.x[:SAMPLE_ROWS].reshape(-1, *task.x.shape[1:])


__all__ = ["NarrowingEnv", "check_narrowable", "sample_rows"]
