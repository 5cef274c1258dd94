"""`drive`: the only loop. It owns checkpoints, budgets, phase seconds and Ctrl-C; a process says what a step is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from rlcompress.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rlcompress.engine.codec import round_trip
from rlcompress.engine.events import Emit, Event, Note, PhaseStarted, RunFinished, RunStarted, StepFinished
from rlcompress.engine.process import Process
from rlcompress.errors import InvalidValueError, whole_number
from rlcompress.problem import Problem

Out = TypeVar("Out")
Reason = Literal["done", "out of time", "out of steps", "interrupted"]
FIRST_PHASE = "start"


@dataclass(frozen=True)
class Budget:
    """When to stop early. Both count over all sessions of a run.

    Args:
        seconds: wall seconds, > 0, checked between steps; None for no limit.
        steps: finished steps, >= 0; None for no limit.
    """

    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not (isinstance(self.seconds, Real) and self.seconds > 0):
            raise InvalidValueError(f"max_seconds: a value > 0 expected, found {self.seconds!r}")
        if self.steps is not None:
            object.__setattr__(self, "steps", whole_number(self.steps, "max_steps", 0))


@dataclass(frozen=True)
class Place:
    """Where checkpoints of a run go: its folder, and its identity, which keeps those of other runs out."""

    folder: Path
    identity: str


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Out]):
    """What a driven process gave.

    Args:
        output: of `finish`.
        reason: why the loop ended.
        steps: finished steps, over all sessions.
        seconds: wall seconds per phase, over all sessions.
    """

    output: Out
    reason: Reason
    steps: int
    seconds: Mapping[str, float]


class _PhaseClock:
    """Passes events on and charges wall seconds to the phase that was announced last."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._mark = time.monotonic()
        self._seconds: dict[str, float] = {}
        self.phase = FIRST_PHASE

    def continue_from(self, checkpoint: Checkpoint) -> None:
        self._seconds, self.phase = dict(checkpoint.seconds), checkpoint.phase

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self.read()
            self.phase = event.phase
        self._emit(event)

    def read(self) -> dict[str, float]:
        now = time.monotonic()
        self._seconds[self.phase] = self._seconds.get(self.phase, 0.0) + now - self._mark
        self._mark = now
        return dict(self._seconds)

    @property
    def total(self) -> float:
        return sum(self.read().values())


class _Session:
    """One process at work on one problem, from one start of the program to its end."""

    def __init__(self, process: Process[Any, Any], problem: Problem, emit: Emit, place: Place | None) -> None:
        self.process, self.problem, self.place = process, problem, place
        self.clock = _PhaseClock(emit)

    def first(self) -> Checkpoint:
        """The newest checkpoint, or the state before the first step."""
        place = self.place
        loaded = load_checkpoint(place.folder, place.identity, self.process.state_type) if place else None
        if loaded is not None:
            self.clock.continue_from(loaded.checkpoint)
        self.clock(RunStarted(self.process.algorithm, self.problem.task.name, resumed=loaded is not None))
        if loaded is None:
            return self.save(0, self.process.start(self.problem, self.clock))
        for path in loaded.damaged:
            text = f"{path} is damaged; continuing after step {loaded.checkpoint.step} from the checkpoint before it"
            self.clock(Note(text, warning=True))
        return loaded.checkpoint

    def advance(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint one step later, safe on disk."""
        began = time.monotonic()
        state = self.process.step(self.problem, checkpoint.state, self.clock)
        following = self.save(checkpoint.step + 1, state)
        self.clock(StepFinished(following.step, time.monotonic() - began))
        return following

    def save(self, step: int, state: Any) -> Checkpoint:
        # The loop goes on with the state as a checkpoint gives it back (array order, sharing, types), so that
        # an uninterrupted run and a resumed one compute from the same thing.
        state = round_trip(state, self.process.state_type)
        identity = self.place.identity if self.place else ""
        checkpoint = Checkpoint(identity, step, self.clock.phase, self.clock.read(), state)
        if self.place is not None:
            save_checkpoint(self.place.folder, checkpoint, self.process.state_type)
        return checkpoint

    def why_stop(self, checkpoint: Checkpoint, budget: Budget) -> Reason | None:
        if self.process.done(self.problem, checkpoint.state):
            return "done"
        if budget.steps is not None and checkpoint.step >= budget.steps:
            return "out of steps"
        if budget.seconds is not None and self.clock.total >= budget.seconds:
            return "out of time"
        return None


def drive(
    process: Process[Any, Out], problem: Problem, emit: Emit, place: Place | None = None, budget: Budget | None = None
) -> Outcome[Out]:
    """Run a process to its end, its budget, or Ctrl-C, and finish it.

    The first Ctrl-C keeps the last finished step and finishes from there; the second one aborts. `RunFinished` is
    always the last event.

    Args:
        process: what to run. Its state reaches each step as a checkpoint would give it back: arrays are read-only.
        problem: what it works on.
        emit: receives every event.
        place: where to keep checkpoints and to continue from; None for none.
        budget: when to stop early.

    Raises:
        CheckpointError: the place holds another run's checkpoints or only damaged ones.
        KeyboardInterrupt: Ctrl-C before the first step or during `finish`.
    """
    session, ending = _Session(process, problem, emit, place), "failed"
    try:
        checkpoint, reason = _loop(session, budget or Budget())
        ending = reason
        output = process.finish(problem, checkpoint.state, session.clock)
        return Outcome(output, reason, checkpoint.step, session.clock.read())
    except KeyboardInterrupt:
        ending = "interrupted"
        raise
    finally:
        emit(RunFinished(ending, session.clock.total))


def _loop(session: _Session, budget: Budget) -> tuple[Checkpoint, Reason]:
    checkpoint = session.first()
    try:
        while (reason := session.why_stop(checkpoint, budget)) is None:
            checkpoint = session.advance(checkpoint)
        return checkpoint, reason
    except KeyboardInterrupt:
        checkpoint = session.save(checkpoint.step, checkpoint.state)
        text = f"interrupted after step {checkpoint.step}; finishing with what there is (Ctrl-C again to abort)"
        session.clock(Note(text, warning=True))
        return checkpoint, "interrupted"
