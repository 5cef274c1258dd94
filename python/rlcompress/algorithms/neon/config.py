"""Settings of NEON."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from rlcompress.algorithms.neon.certify import Even
from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError

Cost = Literal["parameters", "macs", "bytes", "latency_us"]
Mode = Literal["agent", "greedy", "ladder", "random"]
COSTS: tuple[Cost, ...] = ("parameters", "macs", "bytes", "latency_us")
MODES: tuple[Mode, ...] = ("agent", "greedy", "ladder", "random")
EVEN: tuple[Even, ...] = ("kept", "proven", "ignored")


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class Settings:
    """Fields of `NEON`; see each field's help."""

    max_drop: float = field(default=0.01, metadata=_help("accuracy (values: R2) that may be lost, 0..1"))
    cost: Cost = field(default="parameters", metadata=_help("what is made small"))
    target: float | None = field(default=None, metadata=_help("cost that is small enough; then the best score counts"))
    mode: Mode = field(default="agent", metadata=_help("who picks the moves"))
    agent: str | None = field(default=None, metadata=_help(".rlc file of the agent; none: the one that is shipped"))
    moves: int = field(default=8, metadata=_help("trainings at most, each of a handful of students at once"))
    steps: int = field(default=800, metadata=_help("optimiser steps of a training"))
    keep_depth: bool = field(default=False, metadata=_help("keep the number of layers"))
    keep_inputs: bool = field(default=False, metadata=_help("keep all inputs"))
    balanced: Even = field(
        default="kept", metadata=_help("drop of balanced accuracy: within max_drop as seen, or proven")
    )
    z: float = field(default=1.645, metadata=_help("strictness of the acceptance test: 1.645 errs at most 1 in 20"))

    def __post_init__(self) -> None:
        settle_types(self)
        if not 0 <= self.max_drop <= 1:
            raise InvalidValueError(f"max_drop: a share in 0..1 expected, found {self.max_drop}")
        if self.target is not None and not (isfinite(self.target) and self.target > 0):
            raise InvalidValueError(f"target: a finite value > 0 expected, found {self.target}")
        for name in ("moves", "steps"):
            if getattr(self, name) < 1:
                raise InvalidValueError(f"{name}: at least 1 expected, found {getattr(self, name)}")
        if not 0 < self.z < 8:
            raise InvalidValueError(f"z: a value in 0..8, exclusive, expected, found {self.z}")
