"""`Process`: what every algorithm is. The driver owns the loop; a process says how it starts, steps and finishes."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from rlcompress.engine.events import Emit
from rlcompress.problem import Problem

State = TypeVar("State")
Out_co = TypeVar("Out_co", covariant=True)


@runtime_checkable
class Process(Protocol[State, Out_co]):
    """A loop in three pure pieces.

    The state is a frozen dataclass of JSON-able values, NumPy arrays, `Network`s and further such dataclasses, so that
    `engine.checkpoint` can store it. `step` is pure in (problem, state): all randomness comes from (problem.seed,
    state), so a run killed between two checkpoints and resumed ends with the same bits.
    """

    @property
    def algorithm(self) -> str:
        """Name in the registry, such as `pops`."""
        ...

    @property
    def state_type(self) -> type[State]:
        """The dataclass of the state."""
        ...

    def start(self, problem: Problem, emit: Emit) -> State:
        """The state before the first step."""
        ...

    def done(self, problem: Problem, state: State) -> bool:
        """Whether nothing is left to do."""
        ...

    def step(self, problem: Problem, state: State, emit: Emit) -> State:
        """One piece of work of some seconds at most; the driver writes a checkpoint after it."""
        ...

    def finish(self, problem: Problem, state: State, emit: Emit) -> Out_co:
        """The result, from any state (a run that ran out of budget finishes too)."""
        ...


@runtime_checkable
class Checked(Protocol):
    """A process that can tell before it starts that it cannot run, such as for a file that is not there."""

    def check(self, problem: Problem) -> None:
        """Refuse what cannot run; called before a run folder is written, so that a refused call leaves none.

        Raises:
            RlcompressError: names the setting, the value and the remedy.
        """
        ...
