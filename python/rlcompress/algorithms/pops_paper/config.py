"""Settings of the published PoPS loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from rlcompress.algorithms.pops.config import Settings
from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError

Sizing = Literal["cartpole", "lunarlander"]
"""Which of the two published rules turns kept weights into widths; see `sizing`."""

_ITERATION_SHARE = 20_000 / 500_000
"""Minibatches of one iteration or epoch, of those of the pruning schedule, as in the reference code."""

_COUNTS = (
    "schedule_steps",
    "pruning_frequency",
    "batch_size",
    "evaluate_every",
    "prune_episodes",
    "prune_iterations",
    "shrink_batch_size",
    "shrink_episodes",
    "shrink_epochs",
    "observe",
    "memory",
)


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class PaperSettings:
    """Fields of `PaperPoPS`; see each field's help."""

    keep_return: float = field(default=0.98, metadata=_help("share of the teacher's mean return to keep, 0..1"))
    lower_margin: float = field(default=0.5, metadata=_help("pruning pauses this share of it below the objective"))
    min_episodes: int = field(default=100, metadata=_help("fewest episodes of the acceptance test"))
    max_episodes: int = field(default=1000, metadata=_help("most episodes of the acceptance test"))
    schedule_steps: int = field(default=20_000, metadata=_help("steps of the pruning schedule (paper: 500,000)"))
    final_sparsity: float = field(default=0.99, metadata=_help("sparsity at the end of the schedule, in (0, 1)"))
    pruning_frequency: int = field(default=10, metadata=_help("optimiser steps between two masks"))
    batch_size: int = field(default=128, metadata=_help("observations per step while pruning"))
    prune_rate: float = field(default=2e-4, metadata=_help("learning rate while pruning; falls to a tenth"))
    evaluate_every: int = field(default=200, metadata=_help("minibatches between two evaluations while pruning"))
    prune_episodes: int = field(default=25, metadata=_help("episodes of such an evaluation"))
    prune_iterations: int = field(default=125, metadata=_help("most iterations of a pruning phase"))
    shrink_batch_size: int = field(default=256, metadata=_help("observations per step after a shrink"))
    shrink_rate: float = field(default=2e-3, metadata=_help("learning rate after a shrink; falls to a tenth"))
    shrink_episodes: int = field(default=10, metadata=_help("episodes of the evaluation after each epoch"))
    shrink_epochs: int = field(default=50, metadata=_help("most epochs after a shrink (paper: 125)"))
    observe: int = field(default=2000, metadata=_help("teacher's observations added per iteration or epoch"))
    memory: int = field(default=20_000, metadata=_help("observations kept, the newest (paper: 100,000)"))
    temperature: float = field(default=0.01, metadata=_help("divides the teacher's outputs before the softmax"))
    size_tolerance: float = field(default=0.05, metadata=_help("points of size that a shrink must gain to go on"))
    sizing: Sizing = field(default="cartpole", metadata=_help("published rule from kept weights to widths"))

    def __post_init__(self) -> None:
        settle_types(self)
        self.gate  # noqa: B018  # checks keep_return and the numbers of episodes
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise InvalidValueError(f"{name}: a value >= 1 expected, found {getattr(self, name)}")
        for name in ("prune_rate", "shrink_rate", "temperature", "lower_margin"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InvalidValueError(f"{name}: a value > 0 expected, found {getattr(self, name)}")
        if not 0 < self.final_sparsity < 1:
            raise InvalidValueError(f"final_sparsity: a share in (0, 1) expected, found {self.final_sparsity}")
        if not self.size_tolerance > 0:
            raise InvalidValueError(f"size_tolerance: a value > 0 expected, found {self.size_tolerance}")

    @property
    def gate(self) -> Settings:
        """Settings of the acceptance test, which is that of `PoPS()`."""
        return Settings(self.keep_return, self.min_episodes, self.max_episodes, polish=False, baselines=False)

    @property
    def iteration_steps(self) -> int:
        """Minibatches of a pruning iteration, and of an epoch after a shrink."""
        return max(1, round(self.schedule_steps * _ITERATION_SHARE))

    def sparsity_at(self, step: int) -> float:
        """Cubic schedule: 0 at the start, `final_sparsity` from `schedule_steps` on.

        Source: M. Zhu, S. Gupta, "To prune, or not to prune" (2017), equation 1.
        """
        left = 1 - min(step / self.schedule_steps, 1.0)
        return float(self.final_sparsity * (1 - left**3))
