"""What a running process says. Subscribers are plain callables `(Event) -> None`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Union, cast

from rlcompress.errors import InvalidValueError


@dataclass(frozen=True)
class RunStarted:
    """The driver starts or resumes a run."""

    algorithm: str
    task: str
    resumed: bool


@dataclass(frozen=True)
class PhaseStarted:
    """A process enters a phase of its work."""

    phase: str
    detail: str = ""


@dataclass(frozen=True)
class Progress:
    """Share of the current phase (or of the whole run, when the phase is empty) that is done: 0..1."""

    fraction: float
    phase: str = ""


@dataclass(frozen=True)
class CandidateScored:
    """A candidate was judged.

    `weights_bytes` counts weights, biases and scales; `lower` and `upper` are the interval of the mean score.
    """

    name: str
    parameters: int
    weights_bytes: int
    mean: float
    lower: float
    upper: float
    accepted: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Note:
    """A line for the user; `warning` marks what must not be missed."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class StepFinished:
    """One step of the process is done and safe on disk."""

    step: int
    seconds: float


@dataclass(frozen=True)
class RunFinished:
    """The run is over: done, out of budget, or interrupted."""

    reason: str
    seconds: float


Event = Union[RunStarted, PhaseStarted, Progress, CandidateScored, Note, StepFinished, RunFinished]
Emit = Callable[[Event], None]
OnEvent = Union[Emit, Sequence[Emit], None]


def fan_out(*subscribers: OnEvent) -> Emit:
    """One callable that hands every event to all of them, in order.

    Raises:
        InvalidValueError: a subscriber that cannot be called.
    """
    flat: list[Emit] = []
    for subscriber in subscribers:
        if subscriber is not None:
            alone = callable(subscriber) or not isinstance(subscriber, Sequence)
            flat.extend([cast(Emit, subscriber)] if alone else cast(Sequence[Emit], subscriber))
    for subscriber in flat:
        if not callable(subscriber):
            raise InvalidValueError(f"on_event: a callable or a sequence of them expected, found {subscriber!r}")

    def emit(event: Event) -> None:
        for receive in flat:
            receive(event)

    return emit
