from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Scripted, Toy, ToyState, ToyTask, teacher

from rlcompress.engine import driver
from rlcompress.engine.checkpoint import pack
from rlcompress.engine.driver import Budget, Outcome, Place, drive
from rlcompress.engine.events import Emit, Event, Note, PhaseStarted, RunFinished, RunStarted, StepFinished
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.problem import Problem

PROBLEM = Problem(teacher(), ToyTask(), seed=5)


@dataclass(frozen=True)
class Bare(Toy):
    """Gives its last state, so that tests can compare it to the bit."""

    def finish(self, problem: Problem, state: ToyState, emit: Emit) -> Any:
        return state


@dataclass(frozen=True)
class BareScripted(Scripted):
    def finish(self, problem: Problem, state: ToyState, emit: Emit) -> Any:
        return state


def run(process: Any, place: Place | None = None, budget: Budget | None = None) -> tuple[Outcome[Any], list[Event]]:
    events: list[Event] = []
    return drive(process, PROBLEM, events.append, place, budget), events


def bits(outcome: Outcome[Any]) -> bytes:
    return pack(outcome.output, ToyState, {})


WANTED = bits(run(Bare())[0])


def test_the_loop_ends_when_the_process_is_done() -> None:
    outcome, events = run(Bare())
    assert (outcome.reason, outcome.steps, outcome.output.index) == ("done", 6, 6)
    assert events[0] == RunStarted("toy", "toy", resumed=False)
    assert [event.step for event in events if isinstance(event, StepFinished)] == [1, 2, 3, 4, 5, 6]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "done"


def test_a_folder_changes_nothing_and_a_finished_run_is_only_finished_again(tmp_path: Path) -> None:
    place = Place(tmp_path, "mine")
    assert bits(run(Bare(), place)[0]) == WANTED
    outcome, events = run(Bare(), place)
    assert bits(outcome) == WANTED
    assert events[0] == RunStarted("toy", "toy", resumed=True)
    assert not any(isinstance(event, StepFinished) for event in events)


def test_steps_get_the_state_as_a_checkpoint_gives_it() -> None:
    seen = []

    @dataclass(frozen=True)
    class Watching(Bare):
        def step(self, problem: Problem, state: ToyState, emit: Emit) -> ToyState:
            seen.append((state.weights.flags.c_contiguous, state.weights.flags.writeable))
            return super().step(problem, state, emit)

    run(Watching())
    assert seen == [(True, False)] * 6


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_step_budgets_count_over_sessions(tmp_path: Path, steps: int) -> None:
    place = Place(tmp_path, "mine")
    outcome, events = run(Bare(), place, Budget(steps=steps))
    assert (outcome.reason, outcome.steps) == ("out of steps", steps)
    assert events[-1].reason == "out of steps"  # type: ignore[union-attr]
    assert run(Bare(), place, Budget(steps=steps))[0].steps == steps
    assert bits(run(Bare(), place, Budget(steps=100))[0]) == WANTED


class Clock:
    """Stands for the module `time`; every step takes one second."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def step(self, index: int) -> None:
        self.now += 1.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(driver, "time", found)
    return found


def test_time_budgets_and_phase_seconds_count_over_sessions(tmp_path: Path, clock: Clock) -> None:
    place, process = Place(tmp_path, "mine"), BareScripted(act=clock.step)
    first = run(process, place, Budget(seconds=1.5))[0]
    assert (first.reason, first.steps, first.seconds) == ("out of time", 2, {"start": 0, "search": 2})
    clock.now += 1000.0
    second = run(process, place, Budget(seconds=1.5))[0]
    assert (second.reason, second.steps, second.seconds) == ("out of time", 2, first.seconds)
    last, events = run(process, place, Budget(seconds=10.0))
    assert (last.reason, last.steps) == ("done", 6)
    assert last.seconds == {"start": 0, "search": 4, "polish": 2}  # the phase is announced within step 4
    assert events[-1] == RunFinished("done", 6.0)
    assert bits(last) == WANTED


def test_a_resumed_run_is_in_the_phase_that_it_was_in(tmp_path: Path, clock: Clock) -> None:
    place, process = Place(tmp_path, "mine"), BareScripted(act=clock.step)
    run(process, place, Budget(steps=5))
    last, events = run(process, place)
    assert not any(isinstance(event, PhaseStarted) for event in events)
    assert last.seconds == {"start": 0, "search": 4, "polish": 2}


@pytest.mark.parametrize(("seconds", "steps"), [(0, None), (-1.0, None), (float("nan"), None), (None, -1)])
def test_budgets_are_checked(seconds: float | None, steps: int | None) -> None:
    with pytest.raises(InvalidValueError, match="max_"):
        Budget(seconds, steps)


class Press:
    """Ctrl-C at one step, once."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, index: int) -> None:
        if index == self.at:
            self.at = -1
            raise KeyboardInterrupt


def test_ctrl_c_finishes_from_the_last_step_and_the_run_can_go_on(tmp_path: Path) -> None:
    place = Place(tmp_path, "mine")
    outcome, events = run(BareScripted(act=Press(4)), place)
    assert (outcome.reason, outcome.steps, outcome.output.index) == ("interrupted", 4, 4)
    assert next(event.text for event in events if isinstance(event, Note)).startswith("interrupted after step 4")
    assert events[-1].reason == "interrupted"  # type: ignore[union-attr]
    assert bits(run(Bare(), place)[0]) == WANTED


def test_ctrl_c_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, place, replace_file = [0], Place(tmp_path, "mine"), Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    outcome, _ = run(Bare(), place)
    assert (outcome.reason, outcome.steps) == ("interrupted", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-00000001.bin", "checkpoint-00000002.bin"]
    assert bits(run(Bare(), place)[0]) == WANTED


def test_a_second_ctrl_c_aborts(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Impatient(Scripted):
        def finish(self, problem: Problem, state: ToyState, emit: Emit) -> Any:
            raise KeyboardInterrupt

    events: list[Event] = []
    place = Place(tmp_path, "mine")
    with pytest.raises(KeyboardInterrupt):
        drive(Impatient(act=Press(2)), PROBLEM, events.append, place)
    assert events[-1].reason == "interrupted"  # type: ignore[union-attr]
    assert bits(run(Bare(), place)[0]) == WANTED


def test_ctrl_c_before_the_first_step_has_nothing_to_finish() -> None:
    @dataclass(frozen=True)
    class Early(Toy):
        def start(self, problem: Problem, emit: Emit) -> ToyState:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Early())


def test_errors_of_a_step_end_the_run_with_the_state_kept(tmp_path: Path) -> None:
    def fail(index: int) -> None:
        if index == 3:
            raise ZeroDivisionError("boom")

    events: list[Event] = []
    place = Place(tmp_path, "mine")
    with pytest.raises(ZeroDivisionError, match="boom"):
        drive(Scripted(act=fail), PROBLEM, events.append, place)
    assert events[-1].reason == "failed"  # type: ignore[union-attr]
    outcome, later = run(Bare(), place)
    assert bits(outcome) == WANTED
    assert [event.step for event in later if isinstance(event, StepFinished)] == [4, 5, 6]


def test_a_state_that_cannot_be_stored_is_found_at_once() -> None:
    @dataclass(frozen=True)
    class Sloppy(Toy):
        def start(self, problem: Problem, emit: Emit) -> ToyState:
            return replace(super().start(problem, emit), weights=np.zeros(2, np.complex128))

    with pytest.raises(InvalidValueError, match=r"ToyState\.weights"):
        run(Sloppy())


def test_a_damaged_newest_checkpoint_costs_a_step_and_a_note(tmp_path: Path) -> None:
    place = Place(tmp_path, "mine")
    run(Bare(), place, Budget(steps=4))
    newest = tmp_path / "checkpoint-00000004.bin"
    newest.write_bytes(newest.read_bytes()[:-7])
    outcome, events = run(Bare(), place)
    assert bits(outcome) == WANTED
    note = next(event for event in events if isinstance(event, Note))
    assert note.warning
    assert "checkpoint-00000004.bin is damaged" in note.text
    assert next(event.step for event in events if isinstance(event, StepFinished)) == 4


def test_checkpoints_of_another_run_stop_it(tmp_path: Path) -> None:
    run(Bare(), Place(tmp_path, "mine"))
    with pytest.raises(CheckpointError, match="another run"):
        run(Bare(), Place(tmp_path, "yours"))
