"""Settings of PoPS, and how small a student may get."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Activation
from rlcompress.training.distil import Student
from rlcompress.training.labels import Loss

Shape = tuple[int, ...]


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class Settings:
    """Fields of `PoPS`; see each field's help."""

    keep_return: float = field(default=0.98, metadata=_help("share of the teacher's mean return to keep, 0..1"))
    min_episodes: int = field(default=100, metadata=_help("fewest episodes of the acceptance test"))
    max_episodes: int = field(default=1000, metadata=_help("most episodes of the acceptance test"))
    rounds: int = field(default=8, metadata=_help("rounds of training, visiting and relabelling (DAgger)"))
    train_steps: int = field(default=500, metadata=_help("optimiser steps per round; twice as many in the last"))
    visit_steps: int = field(default=2000, metadata=_help("observations that each student visits per round"))
    variants: int = field(default=2, metadata=_help("students per shape and loss, apart in random numbers"))
    focus_variants: int = field(default=4, metadata=_help("the same for shapes below the smallest good one"))
    polish: bool = field(default=True, metadata=_help("search on the return itself where the task allows it"))
    generations: int = field(default=60, metadata=_help("most generations of each search"))
    population: int = field(default=12, metadata=_help("networks per generation"))
    polish_parameters: int = field(default=300, metadata=_help("largest network that is searched on the return"))
    polish_shapes: int = field(default=8, metadata=_help("most shapes that are searched on the return"))
    baselines: bool = field(default=True, metadata=_help("also judge one-shot pruning and a search without a teacher"))

    def __post_init__(self) -> None:
        settle_types(self)
        if not 0 < self.keep_return <= 1:
            raise InvalidValueError(f"keep_return: a value in (0, 1] expected, found {self.keep_return}")
        if not 2 <= self.min_episodes <= self.max_episodes:
            raise InvalidValueError(
                f"min_episodes, max_episodes: 2 <= min <= max expected, found {self.min_episodes}, {self.max_episodes}"
            )
        for name in ("rounds", "train_steps", "visit_steps", "variants", "focus_variants", "generations"):
            if getattr(self, name) < 1:
                raise InvalidValueError(f"{name}: a value >= 1 expected, found {getattr(self, name)}")
        if self.population < 4:
            raise InvalidValueError(f"population: a value >= 4 expected, found {self.population}")


LADDERS: tuple[tuple[Shape, ...], ...] = (
    ((), (2,), (3,), (4,), (6,), (8,), (16,)),
    ((24,), (32,), (64,), (8, 8), (16, 16), (32, 32)),
    ((64, 64), (128, 128), (256, 256)),
)
"""Hidden widths to try, coarse to large.

The next ladder is climbed only when nothing on the last one is good enough.
"""


def parameters_of(shape: Shape, inputs: int, outputs: int) -> int:
    """Weights and biases of a dense network with these hidden widths."""
    widths = (inputs, *shape, outputs)
    return sum((before + 1) * after for before, after in pairwise(widths))


def activations_of(shape: Shape) -> tuple[Activation, ...]:
    """Hidden activations to try."""
    return ("relu", "tanh") if shape else ("relu",)


def students_of(shapes: tuple[Shape, ...], losses: tuple[Loss, ...], variants: range) -> tuple[Student, ...]:
    """Every combination."""
    return tuple(
        Student(shape, activation, loss, variant)
        for shape in shapes
        for activation in activations_of(shape)
        for loss in losses
        for variant in variants
    )
