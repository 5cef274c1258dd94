"""What is measured, for how long, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timing import Effort
from work import SHAPES, DenseWork, RankingWork, SparseWork, StepWork

INTEGER_TOLERANCE = 0.2


@dataclass(frozen=True)
class Goal:
    """How many times faster than the best peer ours must be, and how many times we aim for.

    Args:
        must: against the best peer.
        aim: against the best peer; None where the aim is `of_limit`.
        of_limit: aim as a multiple of the measured limit.
        peer: prefix of the peers that count; empty = all.
    """

    must: float
    aim: float | None = None
    of_limit: float | None = None
    peer: str = ""


@dataclass(frozen=True)
class Group:
    """Rows of one table.

    Args:
        title: heading of the table.
        works: what is done.
        effort: how long each row is measured.
        goals: by the work's name.
        program: name of a C++ program that adds contenders, or measures all of them.
    """

    title: str
    works: tuple[Any, ...]
    effort: Effort = field(default_factory=Effort)
    goals: Mapping[str, Goal] = field(default_factory=dict)
    program: str = ""


def _by_shape(goals: Mapping[str, Goal], **settings: Any) -> tuple[tuple[DenseWork, ...], dict[str, Goal]]:
    works = tuple(DenseWork(shape, **settings) for shape in goals)
    return works, {work.name: goals[work.shape] for work in works}


_PYTHON = _by_shape(
    {
        "A": Goal(15, 20),
        "B": Goal(11, 15),
        "C": Goal(2.2, of_limit=1.1),
        "D": Goal(2.2, of_limit=1.1),
        "E": Goal(1.3, of_limit=1.1),
        "F": Goal(2, of_limit=1.1),
    }
)
_INTEGER = _by_shape(
    {
        "A": Goal(12, 20, peer="LiteRT"),
        "B": Goal(12, 16, peer="LiteRT"),
        "C": Goal(3.5, 4.3, peer="LiteRT"),
        "D": Goal(3.5, 4.3, peer="LiteRT"),
        "E": Goal(1.6, 2, peer="LiteRT"),
        "F": Goal(1.9, 2.2, peer="LiteRT"),
    },
    tolerance=INTEGER_TOLERANCE,
)
_IN_PROCESS = _by_shape(
    {
        "A": Goal(1.8, 2.5, peer="Eigen"),
        "B": Goal(2.4, 3, peer="Eigen"),
        **{shape: Goal(1, of_limit=1.1, peer="Eigen") for shape in "CDEF"},
    }
)
_NO_ZEROS = tuple(DenseWork(shape, zeros=False) for shape in "CDE")
_BATCHES = tuple(DenseWork(shape, rows) for shape in SHAPES for rows in (8, 64, 1024))
_SPARSE = tuple(SparseWork(n, columns) for n in (256, 1024, 2048) for columns in (1, 8, 64, 256))
_SPARSE_GOALS = {1: Goal(0.9, 1.1), 8: Goal(1.5, 2), 64: Goal(2, 3.5), 256: Goal(2, 3.5)}
_STEPS = (StepWork(sparsity=0.9), StepWork(sparsity=0.95))
_RANKINGS = tuple(RankingWork(count) for count in (10_000, 1_000_000, 10_000_000, 25_000_000))
_RANKING_GOALS = (Goal(2.5, 6), Goal(4, 9), Goal(3.8, 8))
_PRUNE = RankingWork(25_000_000, 4)
_LONG = Effort(batches=30, batch_us=200, seconds=10, least=5)

GROUPS: dict[str, Group] = {
    "dense": Group("float32, one observation, called from Python", _PYTHON[0] + _NO_ZEROS, goals=_PYTHON[1]),
    "dense_batch": Group("float32, N observations, called from Python", _BATCHES, Effort(30, 100, 3)),
    "integer_dense": Group("int8, one observation, called from Python", _INTEGER[0], goals=_INTEGER[1]),
    "dense_in_process": Group(
        "float32, one observation after the other, in one C++ process",
        _IN_PROCESS[0],
        Effort(400),
        _IN_PROCESS[1],
        "dense",
    ),
    "dense_batch_in_process": Group("float32, N observations, in one C++ process", _BATCHES, Effort(20), {}, "dense"),
    "sparse": Group(
        "Sparse weights times N columns, called from Python (Eigen: in its own C++ process)",
        _SPARSE,
        Effort(60, 200, 6),
        {work.name: _SPARSE_GOALS[work.columns] for work in _SPARSE},
        "sparse",
    ),
    "masked_step": Group(
        "Masked training step", _STEPS, _LONG, {_STEPS[0].name: Goal(8, 10), _STEPS[1].name: Goal(12, 16)}
    ),
    "ranking": Group(
        "Mask of the largest magnitudes",
        _RANKINGS,
        _LONG,
        {work.name: goal for work, goal in zip(_RANKINGS[1:], _RANKING_GOALS)},
    ),
    "prune": Group(
        "The same over four layers, beside what torch offers", (_PRUNE,), _LONG, {_PRUNE.name: Goal(250, 600)}
    ),
}

TINY: dict[str, Group] = {
    "dense": Group("tiny dense", (DenseWork("A"), DenseWork("A", 3)), Effort(2, 10, 1, 1)),
    "ranking": Group("tiny ranking", (RankingWork(1000),), Effort(2, 10, 1, 1)),
}
"""The same in seconds, to try the table."""
