"""Settings of PuRL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.recovery import Recovery

Grid = Literal["fine", "alpha"]
Search = Literal["refine", "random", "none"]
Reward = Literal["dense", "terminal", "potential"]
RecoveryChoice = Literal["auto", "none", "batchnorm", "least_squares"]
STARTS = ("lamp", "erk", "global", "uniform")


def _help(text: str) -> dict[str, str]:
    return {"help": text}


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
    recovery: RecoveryChoice = field(
        default="auto",
        metadata=_help(
            "what is set again without training: auto recovers the plan found, or a start that is then better, where "
            "rows judge it, that helps it on rows held back and no gradual training follows; batchnorm or "
            "least_squares recover every plan judged; or none"
        ),
    )
    pareto: int = field(default=6, metadata=_help("other sparsities at which the plan found is judged as well"))

    @property
    def judged_with(self) -> Recovery | None:
        """The recovery with which every plan is judged."""
        return None if self.recovery == "auto" or self.recovery == "none" else self.recovery  # mypy

    def __post_init__(self) -> None:
        if isinstance(self.starts, (str, list)):
            object.__setattr__(self, "starts", (self.starts,) if isinstance(self.starts, str) else tuple(self.starts))
        settle_types(self)
        if not 0 < self.target_sparsity <= 1:
            raise InvalidValueError(
                f"target_sparsity: a share above 0 and up to 1 expected (0.9 prunes 90 %), found {self.target_sparsity}"
            )
        for name in ("agent_share", "min_keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidValueError(f"{name}: a share in 0..1 expected, found {getattr(self, name)}")
        for name, least in (("evaluations", 1), ("episodes", 0), ("pareto", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")
        if not self.max_drop >= 0:
            raise InvalidValueError(f"max_drop: a value >= 0 expected, found {self.max_drop}")
        if not self.beta > 0:
            raise InvalidValueError(f"beta: a value > 0 expected, found {self.beta}")
        for start in self.starts:
            if start not in STARTS:
                raise InvalidValueError(f"starts: one of {', '.join(STARTS)} expected, found {start!r}")
