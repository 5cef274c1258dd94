"""Runs by look-up: what a picker reaches on a recorded table, exactly as a run would, without training anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.certify import Even, balanced_drops, next_test, standard_error, z_of_balanced, z_of_test
from rlcompress.algorithms.neon.choosing import Seen, plan_tests
from rlcompress.algorithms.neon.picking import Picker
from rlcompress.algorithms.neon.recording import KEEPS, Table
from rlcompress.algorithms.neon.view import Facts, View, Wishes

RowIndex = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Deal:
    """A table under one split of its rows; arrays are (students,) float64 of the drops against the teacher.

    Args:
        table: the table.
        choosing_rows, testing_rows: how many rows of each.
        choosing_drop, choosing_power: on the choosing rows; `certify.spread` of the differences.
        testing_drop, testing_power: on the testing rows.
        choosing_even, testing_even: (2, students) drops of balanced accuracy on these rows, and their standard errors.
        true_drop: on all the other rows; NaN where there are none.
        true_rows: how many those are.
        score: of the teacher on the choosing rows.
    """

    table: Table
    choosing_rows: int
    testing_rows: int
    choosing_drop: npt.NDArray[np.float64]
    choosing_power: npt.NDArray[np.float64]
    testing_drop: npt.NDArray[np.float64]
    testing_power: npt.NDArray[np.float64]
    choosing_even: npt.NDArray[np.float64]
    testing_even: npt.NDArray[np.float64]
    true_drop: npt.NDArray[np.float64]
    true_rows: int
    score: float


def deal(table: Table, choosing: RowIndex, testing: RowIndex, rest: RowIndex) -> Deal:
    """The table's drops on three sets of rows."""
    right = table.right.astype(np.float32)
    students, teacher = right[:-1], right[-1]
    found = [_drops(students[:, rows], teacher[rows]) for rows in (choosing, testing)]
    choosing_even, testing_even = (
        np.array(balanced_drops(teacher[rows] - students[:, rows], table.y[rows])) for rows in (choosing, testing)
    )
    true = (teacher[rest].mean() - students[:, rest].mean(1)) if len(rest) else np.full(len(students), np.nan)
    score = float(teacher[choosing].mean())
    sizes, even = (len(choosing), len(testing)), (choosing_even, testing_even)
    return Deal(table, *sizes, *found[0], *found[1], *even, np.asarray(true, np.float64), len(rest), score)


def own_deal(table: Table) -> Deal:
    """The rows as the task dealt them; the true drop is on the final rows and further ones."""
    pool = table.pool
    return deal(table, np.flatnonzero(pool == 0), np.flatnonzero(pool == 1), np.flatnonzero(pool >= 2))


def random_deal(table: Table, rng: np.random.Generator) -> Deal:
    """All held rows dealt anew, as many for choosing and testing as the task has."""
    order = rng.permutation(len(table.pool))
    choosing, testing = _dealt(table)
    return deal(table, order[:choosing], order[choosing : choosing + testing], order[choosing + testing :])


def other_tests(table: Table, count: int, rng: np.random.Generator) -> list[Deal]:
    """The held rows dealt anew: `count` deals with the same choosing rows, each with testing rows of its own."""
    order = rng.permutation(len(table.pool))
    choosing, testing = _dealt(table)
    found = []
    for _ in range(count):
        rest = rng.permutation(order[choosing:])
        found.append(deal(table, order[:choosing], rest[:testing], rest[testing:]))
    return found


def _dealt(table: Table) -> tuple[int, int]:
    """Rows that the task has for choosing and for testing."""
    return int((table.pool == 0).sum()), int((table.pool == 1).sum())


def _drops(
    students: npt.NDArray[np.float32], teacher: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    differences = teacher - students
    power = (np.abs(differences).sum(1, dtype=np.float64) + 1.0) / differences.shape[1]
    return differences.mean(1, dtype=np.float64), power


@dataclass(frozen=True, eq=False)
class Episode:
    """What the user wants of a deal.

    Args:
        deal: the rows.
        cost: kind of cost.
        max_drop, z, moves, keep_depth, keep_inputs, balanced: as in the settings.
        target_gain: logarithm of the ratio that is enough.
    """

    deal: Deal
    cost: str = "parameters"
    max_drop: float = 0.01
    z: float = 1.645
    moves: int = 8
    keep_depth: bool = False
    keep_inputs: bool = False
    target_gain: float = float("inf")
    balanced: Even = "kept"

    @cached_property
    def facts(self) -> Facts:
        """Of the network, under the settings, with the teacher's score on this deal."""
        facts = self.deal.table.facts[KEEPS.index((self.keep_depth, self.keep_inputs))]
        return replace(facts, score=self.deal.score)

    @cached_property
    def students(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Which students the settings allow, and the logarithm of the ratio of each."""
        table = self.deal.table
        facts = table.facts[0]
        allowed = np.ones(len(table.move), bool)
        if self.keep_depth:
            allowed &= table.depth == facts.depth
        if self.keep_inputs:
            allowed &= table.inputs == facts.inputs
        gains = np.log(table.teacher_cost(self.cost) / table.cost(self.cost))
        return allowed, np.minimum(gains, self.target_gain)

    @cached_property
    def lengths(self) -> npt.NDArray[np.float64]:
        """(moves,) seconds of each move over those of a usual one of this network; all 1 where the clock saw none."""
        seconds = self.deal.table.seconds[:-1]
        usual = seconds[np.unique(self.deal.table.move)].mean()
        return seconds / usual if usual > 0 else np.ones(len(seconds))

    def view(self, made: tuple[int, ...]) -> View:
        """What a picker sees after these moves."""
        chosen = self._chosen(made)
        return self._view(made, chosen)

    def _chosen(self, made: tuple[int, ...]) -> RowIndex:
        allowed, _ = self.students
        move = self.deal.table.move
        return np.concatenate([np.flatnonzero(allowed & (move == one)) for one in made] or [np.zeros(0, np.int64)])

    def _view(self, made: tuple[int, ...], chosen: RowIndex) -> View:
        one = self.deal
        _, gains = self.students
        keep = self.keep_depth, self.keep_inputs, self.balanced
        wishes = Wishes(self.max_drop, self.z, self.moves, self.target_gain, *keep)
        sound = ~one.table.constant[:-1] | bool(one.table.constant[-1])
        seen = Seen(
            one.choosing_drop[chosen], one.choosing_power[chosen], gains[chosen], sound[chosen], one.table.move[chosen],
            one.choosing_even[0, chosen], one.choosing_even[1, chosen],
        )  # fmt: skip
        return View(self.facts, wishes, made, one.table.move[chosen], seen)

    def outcome(self, made: tuple[int, ...]) -> int | None:
        """The student that these moves and the tests after them lead to; None for the teacher."""
        return self.tested(*self.plan(made))

    def plan(self, made: tuple[int, ...]) -> tuple[RowIndex, int]:
        """Students in the order of their tests, and how many of them are the chain: see `choosing.plan_tests`."""
        chosen = self._chosen(made)
        view = self._view(made, chosen)
        order, chain = plan_tests(view.seen, view.chance())
        return chosen[np.array(order, np.int64)], chain

    def tested(self, students: RowIndex, chain: int) -> int | None:
        """The student that such a series of tests accepts; None for the teacher."""
        passed: list[bool] = []
        best: int | None = None
        while (position := next_test(len(students), chain, passed)) is not None:
            student = int(students[position])
            passed.append(self.passes(student, z_of_test(self.z, len(students), chain, position)))
            best = student if passed[-1] else best
        return best

    def passes(self, student: int, z: float) -> bool:
        """The acceptance test on the testing rows."""
        one = self.deal
        error = standard_error(one.testing_drop[student], one.testing_power[student], one.testing_rows)
        constant = bool(one.table.constant[student]) and not bool(one.table.constant[-1])
        even, even_z = one.testing_even[:, student], z_of_balanced(self.balanced, z)
        if constant or (even_z is not None and even[0] + even_z * even[1] > self.max_drop):
            return False
        return float(one.testing_drop[student] + z * error) <= self.max_drop

    def gain(self, student: int | None) -> float:
        """Logarithm of the ratio of a student; 0 for the teacher."""
        return 0.0 if student is None else float(self.students[1][student])


def play(episode: Episode, pick: Picker) -> tuple[int | None, tuple[int, ...]]:
    """The student that a picker ends with, and its moves."""
    made: tuple[int, ...] = ()
    while len(made) < episode.moves:
        choice = pick(episode.view(made))
        if choice is None:
            break
        made = (*made, choice)
    return episode.outcome(made), made
