"""Settings of PuRL."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

from rlcompress.errors import InvalidValueError, whole_number

Grid = Literal["fine", "alpha"]
Search = Literal["refine", "random", "none"]
Reward = Literal["dense", "terminal", "potential"]
Recovery = Literal["none", "batchnorm", "least_squares"]
STARTS = ("lamp", "erk", "global", "uniform")


def _help(text: str) -> dict[str, str]:
    return {"help": text}


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidValueError(f"{name}: a number expected, found {value!r}")
    return float(value)


@dataclass(frozen=True)
class Settings:
    """Fields of `PuRL`; see each field's help."""

    target_sparsity: float = field(
        default=0.9, metadata=_help("share of the prunable weights to remove, above 0 up to 1")
    )
    max_drop: float = field(default=0.01, metadata=_help("score that may be lost; sets the accuracy target"))
    exact: bool = field(default=True, metadata=_help("promise at least the target sparsity; else targets are soft"))
    evaluations: int = field(
        default=300,
        metadata=_help(
            "plans to judge until the search ends; the dense model and the starts count, but are always judged, "
            "an agent ends its block of episodes, and the front and the layers of the report come on top"
        ),
    )
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
        object.__setattr__(self, "starts", (self.starts,) if isinstance(self.starts, str) else tuple(self.starts))
        for name in ("target_sparsity", "max_drop", "agent_share", "beta", "min_keep"):
            object.__setattr__(self, name, _number(getattr(self, name), name))
        if not 0 < self.target_sparsity <= 1:
            raise InvalidValueError(
                f"target_sparsity: a share above 0 and up to 1 expected (0.9 prunes 90 %), found {self.target_sparsity}"
            )
        for name in ("agent_share", "min_keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidValueError(f"{name}: a share in 0..1 expected, found {getattr(self, name)}")
        for name, least in (("evaluations", 1), ("episodes", 0), ("pareto", 0)):
            object.__setattr__(self, name, whole_number(getattr(self, name), name, least))
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
