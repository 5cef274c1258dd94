"""`PruningEnv`: a Gymnasium environment that prunes one layer per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.errors import EvaluationError, InvalidValueError
from rlcompress.layerwise.allocate import floor_counts
from rlcompress.layerwise.evaluate import Evaluator, evaluator
from rlcompress.layerwise.metrics import Metric
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prunable import ModelLike, Prunable, prunable
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rewards import Reward, RewardMode
from rlcompress.layerwise.rows import example_of
from rlcompress.layerwise.thresholds import ALPHAS, alpha_counts, quantile_shares, share_counts
from rlcompress.optional import require
from rlcompress.problem import Task
from rlcompress.ranking import kept_at_most

if TYPE_CHECKING:
    import torch
    from gymnasium import Env
else:  # this module is itself loaded on first use; Gymnasium must be there for the base class
    Env = require("gymnasium").Env

Actions = Union[Literal["alpha", "quantile"], Sequence[float]]
ACTION_COUNT = len(ALPHAS)
_BOUND = 10.0


class PruningEnv(Env[FloatArray, np.int64]):
    """One layer per step in forward order; an action says how much of the layer goes.

    The observation is `(a_1, p_1, ..., a_n, p_n, t/n, share)`, float32 of 2n + 2 values: accuracy after layer i was
    pruned and the share of it that was, zeros for layers to come; then time, and the coming layer's share of all
    prunable weights. A score that is no share (the dense model's lies outside 0..1) is given relative to the dense
    model's. Evaluation works on a private copy; the user's model, its mode and all generators stay as they are.

    `info` of a step: `plan` (the layers to come are dense), `layer`, `kept`, `accuracy` (None where the judge failed),
    `sparsity`, `value` (of the state, whatever the reward's mode), `feasible` (both targets met), `error` (None, or
    what the judge said) and `counterfactual_cost` (network evaluations that trying every action at the next layer
    costs).

    Args:
        model: torch module, `Network`, or a `Prunable` made of one.
        evaluate: function of a module with real zeros that gives a number, larger is better; or an `Evaluator`.
        data: instead: `(x, y)` or a DataLoader, judged by `metric`; evaluation is then cached.
        task: instead: a task that judges networks, such as `PolicyTask`.
        example_inputs: for the forward that finds the layers; taken of `data` where there are any.
        target_sparsity: share of prunable weights to prune, in (0, 1].
        target_accuracy: score to hold; the dense model's unless given.
        actions: `alpha` prunes below 0.0, 0.1 ... 2.2 standard deviations of the dense layer; `quantile` keeps 23
            shares of a layer from 1 to `min_keep` in equal ratios; or such shares (of weights kept) themselves.
        reward: `dense`, `terminal` or `potential`; see `Reward`.
        beta: of the reward.
        min_keep: share of a layer's weights that stays whatever the action, in (0, 1); at least one weight.
        skip: layers to leave dense; see `prunable`.
        metric, recovery, cache: see `evaluator`.

    Raises:
        InvalidValueError: a setting out of range, a model with nothing to prune, data that do not fit.
        EvaluationError: the judge fails on the dense model.

    Source: Gupta et al., Learning to Prune Deep Neural Networks via Reinforcement Learning (2020).
    Deviates: a floor of kept weights against layer collapse; time and share are observed too.
    """

    metadata: dict[str, Any] = {"render_modes": []}
    _value: float

    def __init__(
        self,
        model: ModelLike,
        evaluate: Callable[[torch.nn.Module], float] | Evaluator | None = None,
        *,
        data: Any = None,
        task: Task | None = None,
        example_inputs: Any = None,
        target_sparsity: float,
        target_accuracy: float | None = None,
        actions: Actions = "alpha",
        reward: RewardMode = "dense",
        beta: float = 5.0,
        min_keep: float = 0.002,
        skip: Sequence[str] = (),
        metric: Metric = "accuracy",
        recovery: Recovery | Sequence[Recovery] | None = None,
        cache: bool = True,
    ) -> None:
        if not 0 < min_keep < 1:
            raise InvalidValueError(f"min_keep: a share of kept weights in (0, 1) expected, found {min_keep}")
        self.reward = Reward(1.0 if target_accuracy is None else target_accuracy, target_sparsity, beta, reward)
        if example_inputs is None and data is not None:
            example_inputs = example_of(data)
        self.prunable = model if isinstance(model, Prunable) else prunable(model, example_inputs, skip)
        self.counts = _action_counts(self.prunable, actions, min_keep)
        if isinstance(evaluate, Evaluator):
            self.evaluator: Evaluator = evaluate
        else:
            judged = {"data": data, "evaluate": evaluate, "task": task}
            self.evaluator = evaluator(self.prunable, **judged, metric=metric, recovery=recovery, cache=cache)
        self.dense_accuracy = self.evaluator.score(self.prunable.ceilings)
        if target_accuracy is None:
            self.reward = Reward(self.dense_accuracy, target_sparsity, beta, reward)
        self._unit = 1.0 if 0 <= self.dense_accuracy <= 1 else abs(self.dense_accuracy)
        layers = len(self.prunable.layers)
        low, high = np.zeros(2 * layers + 2, np.float32), np.ones(2 * layers + 2, np.float32)
        low[: 2 * layers : 2], high[: 2 * layers : 2] = -_BOUND, _BOUND
        spaces = require("gymnasium.spaces")
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self.action_space = spaces.Discrete(self.counts.shape[1])
        self._start()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start again from the dense model."""
        super().reset(seed=seed)
        self._start()
        return self._observation(), self._info(self.dense_accuracy, None)

    def step(self, action: np.int64) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Prune the next layer.

        Raises:
            InvalidValueError: no such action, or the episode is over.
        """
        if self._at == len(self.prunable.layers):
            raise InvalidValueError("the episode is over: every layer is pruned; call reset()")
        if not self.action_space.contains(action):
            raise InvalidValueError(f"action: 0..{self.counts.shape[1] - 1} expected, found {action!r}")
        self._kept[self._at] = int(self.counts[self._at, action])
        accuracy, error = self._judge(self._kept)
        size = self.prunable.layers[self._at].size
        shown = 0.0 if accuracy is None else np.clip(accuracy / self._unit, -_BOUND, _BOUND)
        self._pairs[2 * self._at : 2 * self._at + 2] = shown, 1 - self._kept[self._at] / size
        self._at += 1
        last = self._at == len(self.prunable.layers)
        info = self._info(accuracy, error)
        before, self._value = self._value, float(info["value"])
        reward = self.reward.worst if error is not None else self.reward.step(self._value, before, last)
        return self._observation(), reward, last, False, info

    @property
    def plan(self) -> Plan:
        """What the actions so far keep."""
        return self.prunable.plan(self._kept)

    def counterfactuals(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Accuracy and value of the state after each action at the coming layer; NaN accuracy where the judge fails.

        With data, all of them start from the values cached at the layer's entry. The episode stays where it is.

        Returns:
            Two arrays of shape (actions,), float64.
        """
        if self._at == len(self.prunable.layers):
            raise InvalidValueError("the episode is over: every layer is pruned; call reset()")
        scores, values = np.empty(self.counts.shape[1]), np.empty(self.counts.shape[1])
        for action, count in enumerate(self.counts[self._at]):
            kept = [*self._kept[: self._at], int(count), *self._kept[self._at + 1 :]]
            accuracy, _ = self._judge(kept)
            scores[action] = np.nan if accuracy is None else accuracy
            values[action] = self.reward.value(scores[action], self.prunable.plan(kept).sparsity)
        return scores, values

    def _start(self) -> None:
        self._at = 0
        self._kept = list(self.prunable.ceilings)
        self._pairs = np.zeros(2 * len(self._kept), np.float32)
        self._value = self.reward.value(self.dense_accuracy, self.plan.sparsity)

    def _judge(self, kept: Sequence[int]) -> tuple[float | None, str | None]:
        try:
            return self.evaluator.score(kept), None
        except EvaluationError as error:
            return None, str(error)

    def _observation(self) -> FloatArray:
        sizes = self.prunable.sizes
        over = self._at == len(sizes)
        share = 0.0 if over else sizes[self._at] / sum(sizes)
        return np.concatenate([self._pairs, np.array([self._at / len(sizes), share], np.float32)])

    def _info(self, accuracy: float | None, error: str | None) -> dict[str, Any]:
        plan = self.plan
        reached = accuracy is not None and accuracy >= self.reward.target_accuracy
        before = self._at - 1
        return {
            "plan": plan,
            "layer": None if before < 0 else plan.layers[before],
            "kept": None if before < 0 else plan.kept[before],
            "accuracy": accuracy,
            "sparsity": plan.sparsity,
            "value": self.reward.worst if accuracy is None else self.reward.value(accuracy, plan.sparsity),
            "feasible": reached and sum(plan.kept) <= kept_at_most(sum(plan.sizes), self.reward.target_sparsity),
            "error": error,
            "counterfactual_cost": self._counterfactual_cost(),
        }

    def _counterfactual_cost(self) -> float:
        if self._at == len(self.prunable.layers):
            return 0.0
        cost = getattr(self.evaluator, "cost", None)
        share = 1.0 if cost is None else float(cost(self._at))
        return share * len(set(self.counts[self._at].tolist()))


def _action_counts(model: Prunable, actions: Actions, min_keep: float) -> npt.NDArray[np.int64]:
    """(layers, actions) int64 kept counts, between floors and ceilings."""
    if isinstance(actions, str) and actions not in ("alpha", "quantile"):
        raise InvalidValueError(f"actions: 'alpha', 'quantile' or shares of kept weights expected, found {actions!r}")
    if actions == "alpha":
        counts = alpha_counts([layer.weight for layer in model.layers])
    else:
        shares = quantile_shares(ACTION_COUNT, min_keep) if isinstance(actions, str) else tuple(actions)
        if not shares:
            raise InvalidValueError("actions: at least one share of kept weights expected, found none")
        counts = share_counts(model.sizes, shares)
    floors = np.array(floor_counts(model.layers, min_keep))[:, None]
    return np.clip(counts, floors, np.array(model.ceilings)[:, None])
