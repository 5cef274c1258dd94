"""The state of a NEON run. Values only, so that a checkpoint is the run."""

from __future__ import annotations

from dataclasses import dataclass

from rlcompress.network import Network
from rlcompress.problem import Float64Array


@dataclass(frozen=True, eq=False)
class Tried:
    """A trained student and what the choosing rows say of it.

    Args:
        move: place in the menu.
        network: the student.
        cost: in the unit that the settings name.
        drop: mean drop on the choosing rows.
        power: `certify.spread` of the paired differences there.
        sound: False where it gives one answer for all rows and the teacher does not.
        mean: score on the choosing rows.
        even_drop, even_error: drop of balanced accuracy there, and its standard error; for values of the score itself.
    """

    move: int
    network: Network
    cost: float
    drop: float
    power: float
    sound: bool
    mean: float
    even_drop: float
    even_error: float


@dataclass(frozen=True, eq=False)
class Tested:
    """A test on the testing rows.

    Args:
        candidate: place among the tried ones.
        values: (rows,) float64.
        drop, bound, z: of the verdict.
        balanced_drop: drop of balanced accuracy; 0 for values.
        accepted: the verdict.
    """

    candidate: int
    values: Float64Array
    drop: float
    bound: float
    z: float
    balanced_drop: float
    accepted: bool


@dataclass(frozen=True, eq=False)
class State:
    """Everything between two steps.

    Args:
        phase: `moves`, `tests`, `final` or `done`.
        teacher_cost: in the unit that the settings name.
        teacher_choosing: (rows,) float64 on the choosing rows.
        teacher_constant: whether the teacher gives one answer for all of them.
        moves: places in the menu, in the order in which they were made.
        tried: every student.
        plan: places among the tried ones, in the order of tests.
        chain: tests of the plan that go towards smaller networks.
        tests: made so far.
        teacher_final, best_final: (rows,) float64 on the final rows; empty before.
        notes: for the user.
    """

    phase: str
    teacher_cost: float
    teacher_choosing: Float64Array
    teacher_constant: bool
    moves: tuple[int, ...] = ()
    tried: tuple[Tried, ...] = ()
    plan: tuple[int, ...] = ()
    chain: int = 0
    tests: tuple[Tested, ...] = ()
    teacher_final: Float64Array | None = None
    best_final: Float64Array | None = None
    notes: tuple[str, ...] = ()
