from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import Problem, Score
from rlcompress.training.distil import Student
from rlcompress.training.labels import Labels

pytest.importorskip("torch")

from rlcompress import PoPS
from rlcompress.algorithms.pops import screening
from rlcompress.algorithms.pops.state import Shelved, State


def network(hidden: int) -> Network:
    layers = (
        Dense(np.ones((hidden, 2), np.float32), np.zeros(hidden, np.float32), "relu"),
        Dense(np.ones((2, hidden), np.float32), np.zeros(2, np.float32)),
    )
    return Network(layers, Contract((2,), Argmax()))


class Judge:
    """Networks of at least eight neurons are as good as the teacher, all others are not, whatever they promised."""

    name = "judge"

    def score_many(self, networks: Sequence[Network], split: str, start: int, count: int) -> list[Score]:
        spread = np.where(np.arange(count) % 2, 1.0, -1.0)
        return [Score(spread + (100.0 if one.widths[1] >= 8 else 50.0)) for one in networks]


def shelved(hidden: int, variant: int, promised: float) -> Shelved:
    return Shelved(Student((hidden,), variant=variant), network(hidden), promised, 0.5, np.zeros(0))


def state(shelf: tuple[Shelved, ...], **changes: Any) -> State:
    rows = np.zeros((4, 2), np.float32)
    values = np.where(np.arange(100) % 2, 99.0, 101.0)
    return State("distil", 10.0, values, np.zeros(0), Labels(rows, rows), shelf=shelf, **changes)


def test_larger_students_get_their_turn_where_a_small_ones_promise_did_not_hold() -> None:
    problem: Any = Problem(network(64), Judge(), 0, 1)  # type: ignore[arg-type]
    shelf = tuple(shelved(hidden, variant, 100.0) for hidden in (2, 8, 32) for variant in (0, 1))
    settings = PoPS()
    before = state(shelf)
    limit = screening.largest_wanted(settings, before)
    assert limit < shelf[2].parameters
    after = screening.screen_shelf(problem, settings, before, limit)
    screened = {entry.student.hidden[0]: entry.mean for entry in after.shelf if entry.screened.size}
    assert screened == pytest.approx({2: 50.0, 8: 100.0}, abs=0.1)
    assert [entry.student.hidden[0] for entry in after.shelf if not entry.screened.size] == [32, 32]


def test_a_screened_snapshot_is_known_by_its_screen_alone() -> None:
    seen = Shelved(Student((2,)), network(2), 1000.0, 0.0, np.full(40, 5.0))
    assert screening.promising(state(()), seen) == 5.0
    fresh = shelved(2, 0, 100.0)
    assert screening.promising(state(()), fresh) == 99.5
    assert screening.promising(state((), ladder=1), fresh) == 98.5


def test_a_student_that_failed_the_test_promises_nothing() -> None:
    seen = Shelved(Student((2,)), network(2), 1000.0, 0.0, np.full(40, 500.0))
    assert screening.promising(state((), confirmed=(seen.student.name,)), seen) == -np.inf
