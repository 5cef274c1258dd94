"""Settings of PuRL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rlcompress.errors import InvalidValueError

Grid = Literal["fine", "alpha"]
Search = Literal["refine", "random", "none"]
Reward = Literal["dense", "terminal", "potential"]
Recovery = Literal["none", "batchnorm", "least_squares"]
STARTS = ("lamp", "erk", "global", "uniform")


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class Settings:
    """Fields of `PuRL`; see each field's help."""

    target_sparsity: float = field(default=0.9, metadata=_help("share of the prunable weights to remove, 0..1"))
    max_drop: float = field(default=0.01, metadata=_help("score that may be lost; sets the accuracy target"))
    exact: bool = field(default=True, metadata=_help("promise at least the target sparsity; else targets are soft"))
    evaluations: int = field(default=300, metadata=_help("plans to judge in all, whatever proposes them"))
    grid: Grid = field(default="fine", metadata=_help("every count of weights, or the paper's 23 thresholds"))
    starts: tuple[str, ...] = field(default=STARTS, metadata=_help("free allocations to start from"))
    distortion: bool = field(default=True, metadata=_help("dynamic programme over damages of single layers"))
    search: Search = field(default="refine", metadata=_help("how plans are varied after the starts"))
    agent_share: float = field(default=0.15, metadata=_help("share of the evaluations that the DQN agent spends"))
    episodes: int = field(default=0, metadata=_help("episodes of the agent; 0: as many as its share allows"))
    reward: Reward = field(default="potential", metadata=_help("what the agent is told after each layer"))
    beta: float = field(default=5.0, metadata=_help("weight of missed targets in the reward"))
    min_keep: float = field(default=0.001, metadata=_help("share of each layer's weights that is kept at least"))
    recovery: Recovery = field(default="none", metadata=_help("repair without training while plans are judged"))
    pareto: int = field(default=6, metadata=_help("other sparsities at which the plan found is judged as well"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", tuple(self.starts))
        for name, low, high in (("target_sparsity", 0, 1), ("agent_share", 0, 1), ("min_keep", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise InvalidValueError(f"{name}: a share in {low}..{high} expected, found {getattr(self, name)}")
        for name, least in (("evaluations", 1), ("episodes", 0), ("pareto", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")
        if not self.max_drop >= 0:
            raise InvalidValueError(f"max_drop: a value >= 0 expected, found {self.max_drop}")
        if not self.beta > 0:
            raise InvalidValueError(f"beta: a value > 0 expected, found {self.beta}")
        for name, value, choices in (
            ("grid", self.grid, ("fine", "alpha")),
            ("search", self.search, ("refine", "random", "none")),
            ("reward", self.reward, ("dense", "terminal", "potential")),
            ("recovery", self.recovery, ("none", "batchnorm", "least_squares")),
            *(("starts", start, STARTS) for start in self.starts),
        ):
            if value not in choices:
                raise InvalidValueError(f"{name}: one of {', '.join(choices)} expected, found {value!r}")
