"""The menu of moves: arms, how far each goes, and the students that a move trains."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rlcompress.algorithms.neon.anatomy import Anatomy
from rlcompress.algorithms.neon.narrowing import narrowed
from rlcompress.layers import Dense
from rlcompress.network import Network

Arm = Literal["linear", "one hidden", "two hidden", "narrow", "shallow"]
ARMS: tuple[Arm, ...] = ("linear", "one hidden", "two hidden", "narrow", "shallow")


@dataclass(frozen=True)
class Move:
    """One decision: train the students of an arm at a level.

    Args:
        arm: `linear`, `one hidden` and `two hidden` are fresh students; `narrow` keeps the teacher's depth, `shallow`
            drops its upper layers.
        level: 0 is the arm's largest students.
    """

    arm: Arm
    level: int

    @property
    def name(self) -> str:
        return f"{self.arm} {self.level}"


@dataclass(frozen=True)
class Shape:
    """A student before it is made.

    Args:
        hidden: widths; for `narrow` and `shallow` of the layers that stay.
        inputs: how many values it reads.
        variant: tells students apart that differ in their first weights alone.
    """

    hidden: tuple[int, ...]
    inputs: int
    variant: int = 0

    def parameters(self, outputs: int) -> int:
        """Weights and biases."""
        widths = (self.inputs, *self.hidden, outputs)
        return sum((before + 1) * after for before, after in itertools.pairwise(widths))

    def macs(self, outputs: int) -> int:
        """Multiply-accumulates of one inference."""
        widths = (self.inputs, *self.hidden, outputs)
        return sum(before * after for before, after in itertools.pairwise(widths))


ONE_HIDDEN = ((128, 192, 256), (48, 64, 96), (16, 24, 32), (6, 8, 12), (2, 3, 4))
TWO_HIDDEN = (
    ((64, 32), (96, 48), (128, 64)),
    ((24, 16), (32, 16), (32, 32)),
    ((8, 8), (12, 8), (16, 12)),
    ((3, 3), (4, 4), (6, 4)),
)
RESIDUALS = ((0.01, 0.02), (0.05, 0.1), (0.2, 0.3), (0.5, 0.7))
SHARES = (1.0, 0.5, 0.25)
MENU: tuple[Move, ...] = (
    Move("linear", 0),
    *(Move("one hidden", level) for level in range(len(ONE_HIDDEN))),
    *(Move("two hidden", level) for level in range(len(TWO_HIDDEN))),
    *(Move("narrow", level) for level in range(len(RESIDUALS))),
    *(Move("shallow", level) for level in range(len(RESIDUALS))),
)


def shapes_of(move: Move, teacher: Network, anatomy: Anatomy, keep_depth: bool, keep_inputs: bool) -> list[Shape]:
    """The students that a move trains, none where it does not apply.

    Args:
        move: of `MENU`.
        teacher: float32 dense layers.
        anatomy: of the teacher.
        keep_depth: only students with the teacher's number of layers.
        keep_inputs: only students that read all that the teacher reads.
    """
    found = _inherited(move, teacher, anatomy) if move.arm in ("narrow", "shallow") else _fresh(move, teacher)
    depth = len(teacher.layers) - 1
    return [
        shape
        for shape in found
        if (not keep_depth or len(shape.hidden) == depth)
        and (not keep_inputs or shape.inputs == teacher.input_size)
        and shape.parameters(teacher.output_size) < teacher.parameter_count
    ]


def _fresh(move: Move, teacher: Network) -> list[Shape]:
    shares = sorted({max(1, round(share * teacher.input_size)) for share in SHARES}, reverse=True)
    if move.arm == "linear":
        return [Shape((), inputs) for inputs in shares]
    if move.arm == "one hidden":
        variants = 2 if move.level >= len(ONE_HIDDEN) - 2 else 1
        widths: Sequence[tuple[int, ...]] = [(width,) for width in ONE_HIDDEN[move.level]]
        shares = shares[:2] if move.level == 0 else shares
    else:
        variants = 2 if move.level == len(TWO_HIDDEN) - 1 else 1
        widths = TWO_HIDDEN[move.level]
    return [Shape(hidden, inputs, one) for inputs in shares for hidden in widths for one in range(variants)]


def _inherited(move: Move, teacher: Network, anatomy: Anatomy) -> list[Shape]:
    depth = len(teacher.layers) - 1
    stay = depth if move.arm == "narrow" else min(2, depth - 1)
    if stay < 1:
        return []
    shares = (1.0,) if move.arm == "narrow" else (1.0, 0.5)
    counts = sorted({max(1, round(share * teacher.input_size)) for share in shares}, reverse=True)
    shapes = [
        Shape(tuple(ranking.width(residual) for ranking in anatomy.rankings[:stay]), inputs)
        for inputs in counts
        for residual in RESIDUALS[move.level]
    ]
    return list(dict.fromkeys(shapes))


def make(move: Move, shape: Shape, teacher: Network, anatomy: Anatomy, seed: int) -> Network:
    """The student before its training: inherited weights, or fresh ones by `seed`."""
    if move.arm in ("narrow", "shallow"):
        return narrowed(teacher, anatomy, shape.hidden, shape.inputs)
    rng = np.random.default_rng((seed, 41, *shape.hidden, shape.inputs, shape.variant))
    widths = (shape.inputs, *shape.hidden, teacher.output_size)
    layers = []
    for level, (columns, rows) in enumerate(itertools.pairwise(widths)):
        bound = np.sqrt(6 / (rows + columns))
        weight = rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)
        bias = rng.uniform(-0.5, 0.5, rows).astype(np.float32)
        layers.append(Dense(weight, bias, "identity" if level == len(shape.hidden) else "relu"))
    read = teacher.contract.kept_inputs
    kept = np.sort(anatomy.input_order[: shape.inputs])
    contract = replace(teacher.contract, selected=tuple(read[int(index)] for index in kept))
    return Network(tuple(layers), contract)
