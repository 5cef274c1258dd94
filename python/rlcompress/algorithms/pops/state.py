"""The state of a PoPS run: values only, so that a checkpoint is the run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rlcompress.network import Network
from rlcompress.problem import Float64Array
from rlcompress.training.distil import Student
from rlcompress.training.labels import Labels


@dataclass(frozen=True, eq=False)
class Member:
    """A student in training with the labels that it learns from."""

    student: Student
    network: Network
    labels: Labels


@dataclass(frozen=True, eq=False)
class Shelved:
    """A snapshot of a student that did well, with its returns so far (first on the units that it visited, then on
    screen units).
    """

    student: Student
    network: Network
    visit_mean: float
    visit_error: float
    screened: Float64Array

    @property
    def parameters(self) -> int:
        return self.network.parameter_count

    @property
    def mean(self) -> float:
        """Mean on the screen split; the visits' mean before it was screened."""
        return float(self.screened.mean()) if self.screened.size else self.visit_mean


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate that went to the acceptance test.

    Args:
        rule: `unpaired` or `paired`.
        values: returns on the accept split.
        lower, upper: interval of their mean, or of the mean difference to the teacher when paired.
        final: returns on the final split; empty until then.
        student: how it was taught, when it was distilled.
    """

    name: str
    method: str
    network: Network
    weights_bytes: int
    uses_reward: bool
    rule: str
    values: Float64Array
    lower: float
    upper: float
    accepted: bool
    reason: str
    final: Float64Array
    student: Student | None = None


@dataclass(frozen=True, eq=False)
class Polishing:
    """A search in progress.

    Args:
        student: shape that is searched.
        start: float32 network where the stage started.
        stage: `float`, `int4`, `int8`, or `trim` (an accepted integer network with one input fewer).
        journal: (generations, population) returns judged so far.
        attempts: acceptance tests of this stage so far.
    """

    student: Student
    start: Network
    stage: str
    journal: Float64Array
    attempts: int = 0


@dataclass(frozen=True, eq=False)
class Judged:
    """A baseline with its returns on the final split."""

    name: str
    method: str
    network: Network
    values: Float64Array
    uses_reward: bool


@dataclass(frozen=True, eq=False)
class State:
    """Everything between two steps.

    Args:
        phase: `distil`, `confirm`, `trim`, `polish`, `quantise`, `baselines`, `final` or `done`.
        teacher_values: returns of the teacher on the accept split.
        teacher_final: the same on the final split; empty until then.
        teacher_again: the same on the second block of the accept split; empty until a second test needs it.
        base: labels on the teacher's own observations; every student starts from these.
        ladder: index of the ladder being climbed.
        focused: parameters of the smallest good student when the shapes below it got their own wave; 0 for never.
        wave: number of the present wave.
        round: of the present wave.
        members: of the present wave.
        shelf: best snapshots of every shape.
        screened_to: screen units used so far.
        trials: acceptance tests, in order.
        confirmed: names of distilled students that were tested.
        trimmed: whether no further input of the accepted distilled student can be dropped.
        polishing: search in progress.
        polished: names of shapes whose search is over.
        scratch: journal of the search without a teacher.
        judged: baselines.
        notes: for the user.
    """

    phase: str
    episode_length: float
    teacher_values: Float64Array
    teacher_final: Float64Array
    base: Labels
    teacher_again: Float64Array = field(default_factory=lambda: np.zeros(0))
    ladder: int = 0
    focused: int = 0
    wave: int = 0
    round: int = 0
    members: tuple[Member, ...] = ()
    shelf: tuple[Shelved, ...] = ()
    screened_to: int = 0
    trials: tuple[Trial, ...] = ()
    confirmed: tuple[str, ...] = ()
    trimmed: bool = False
    polishing: Polishing | None = None
    polished: tuple[str, ...] = ()
    scratch: Float64Array = field(default_factory=lambda: np.zeros((0, 0)))
    judged: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
