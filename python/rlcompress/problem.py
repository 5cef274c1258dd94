"""What an algorithm is given: a network to compress and a task that judges it.

Algorithms see this protocol and never a concrete task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Union, runtime_checkable

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.contract import Contract
from rlcompress.network import Network

Split = Literal["search", "screen", "accept", "final"]
"""Disjoint pools of units (episode seeds, data rows). `search` may be optimised on, `screen` may choose candidates,
`accept` decides acceptance, `final` is touched once, for the reported figure.
"""

SPLITS: tuple[Split, ...] = ("search", "screen", "accept", "final")
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Score:
    """How well a network did, one value per unit (episodic return per seed, or correctness per row); larger is better.

    Args:
        values: (units,) float64. Units are the same, in the same order, for every network scored on the same split,
            start and count.
    """

    values: Float64Array

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """Sample standard deviation (0 for one unit)."""
        return float(np.std(self.values, ddof=1)) if self.values.size > 1 else 0.0

    @property
    def count(self) -> int:
        return int(self.values.size)


@dataclass(frozen=True, eq=False)
class Batch:
    """Observations that a network met, and what it earned while it met them.

    Args:
        observations: (n, inputs) float32, before normalisation, flattened.
        scores: (units,) float64 of the units that were visited whole.
    """

    observations: FloatArray
    scores: Float64Array


@dataclass(frozen=True)
class UniformActor:
    """Acts at random within the action space: for exploration and from-scratch baselines."""


Actor = Union[Network, UniformActor]


@runtime_checkable
class Task(Protocol):
    """Judges networks. The same arguments always give the same result, in any process."""

    @property
    def name(self) -> str:
        """Short name for reports, such as the environment's id."""
        ...

    @property
    def searchable(self) -> bool:
        """Whether optimising the score itself on the `search` split is allowed (the environment may be stepped)."""
        ...

    def count(self, split: Split) -> int | None:
        """Units that a split holds; None where they have no end, such as episodes."""
        ...

    def check(self, network: Network) -> None:
        """Refuse a network whose inputs or outputs do not fit the task.

        Raises:
            InvalidValueError: says which size or head is wrong.
        """
        ...

    def prepare(self, teacher: Network) -> Network:
        """The teacher with what the task knows and it lacks, such as observation statistics; mostly as it is.

        Raises:
            InvalidValueError: both bring the same thing.
        """
        ...

    def score(self, network: Network, split: Split, start: int, count: int) -> Score:
        """Score on the units `start .. start + count - 1` of a split."""
        ...

    def score_many(self, networks: Sequence[Network], split: Split, start: int, count: int) -> list[Score]:
        """Several networks on the same units, in parallel where the machine allows."""
        ...

    def visit(self, actor: Actor, start: int, count: int, seed: int, explore: float = 0.0) -> Batch:
        """At least `count` observations met while `actor` acts.

        Args:
            actor: acts deterministically, but for a share `explore` of steps that take a random action.
            start: first unit of the data pool (disjoint from all splits).
            count: observations wanted.
            seed: of the exploring actions.
            explore: 0..1.
        """
        ...

    def visit_many(
        self, actors: Sequence[Actor], start: int, count: int, seed: int, explore: float = 0.0
    ) -> list[Batch]:
        """`visit` for several actors on the same units, in parallel where the machine allows."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """JSON-able settings: enough to build the same task again, and part of the run's identity."""
        ...


@dataclass(frozen=True)
class Problem:
    """One compression job.

    Args:
        teacher: the network to compress.
        task: judges candidates.
        seed: every random number of the run derives from (seed, step).
        jobs: worker processes; no influence on results.
    """

    teacher: Network
    task: Task
    seed: int = 0
    jobs: int = 1

    @property
    def contract(self) -> Contract:
        return self.teacher.contract
