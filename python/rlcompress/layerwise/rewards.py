"""Rewards of `PruningEnv` (how far accuracy and sparsity are from their targets) and of `NarrowingEnv`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rlcompress.errors import InvalidValueError

RewardMode = Literal["dense", "terminal", "potential"]
MODES: tuple[RewardMode, ...] = ("dense", "terminal", "potential")


@dataclass(frozen=True)
class Reward:
    """`-beta * (max(1 - A/T_A, 0) + max(1 - P/T_P, 0))` of accuracy A and sparsity P.

    Args:
        target_accuracy: T_A, finite. For scores that may be negative the shortfall is `(T_A - A) / |T_A|`, the same
            where T_A > 0, and `-A` where T_A is 0; it is never more than 1.
        target_sparsity: T_P, in (0, 1].
        beta: > 0.
        mode: `dense` rewards every step, `terminal` the last one (0 before), `potential` the change since the step
            before: that telescopes to the terminal reward less a constant.

    Raises:
        InvalidValueError: a setting out of range.

    Source: Gupta et al., Learning to Prune Deep Neural Networks via Reinforcement Learning (2020).
    """

    target_accuracy: float
    target_sparsity: float
    beta: float = 5.0
    mode: RewardMode = "dense"

    def __post_init__(self) -> None:
        if not math.isfinite(self.target_accuracy):
            raise InvalidValueError(f"target_accuracy: a finite score expected, found {self.target_accuracy}")
        if not 0 < self.target_sparsity <= 1:
            raise InvalidValueError(
                f"target_sparsity: a share in (0, 1] expected (0.9 prunes 90 %), found {self.target_sparsity}"
            )
        if not (math.isfinite(self.beta) and self.beta > 0):
            raise InvalidValueError(f"beta: a finite number > 0 expected, found {self.beta}")
        if self.mode not in MODES:
            raise InvalidValueError(f"reward: one of {MODES} expected, found {self.mode!r}")

    @property
    def worst(self) -> float:
        """The least that a state can be worth: nothing right, nothing pruned."""
        return -2 * self.beta

    def value(self, accuracy: float, sparsity: float) -> float:
        """What a state is worth, between `worst` and 0."""
        if not math.isfinite(accuracy):
            return self.worst
        shortfall = (self.target_accuracy - accuracy) / (abs(self.target_accuracy) or 1.0)
        missing = 1 - sparsity / self.target_sparsity
        return -self.beta * (min(max(shortfall, 0.0), 1.0) + max(missing, 0.0))

    def step(self, value: float, before: float, last: bool) -> float:
        """Reward of a step between states of these values."""
        if self.mode == "dense":
            return value
        if self.mode == "terminal":
            return value if last else 0.0
        return value - before


def cubic_reward(removed: float, change: float, tolerance: float) -> float:
    """Reward of narrowing one layer.

    `+removed^3` where the score rose, `+removed` where it fell by no more than the tolerance, `-removed^3` beyond.

    Args:
        removed: percent of the layer's width that went, 0..100.
        change: of the score against the original network's, in points.
        tolerance: points, >= 0.

    Source: the code that the authors of NEON published (Hirsch and Katz, 2022).
    """
    if change > 0:
        return removed**3
    return removed if change >= -tolerance else -(removed**3)
