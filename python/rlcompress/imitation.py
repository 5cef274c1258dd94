"""A dense network out of any policy: recurrent, convolutional, written by hand.

Source: S. Ross, G. Gordon, D. Bagnell, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning" (2011): the student acts, the expert says what it would have done, and the student learns from all that was
met so far. Deviates: the network of the round that earned most is kept, not the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index

import numpy as np

from rlcompress.contract import Argmax
from rlcompress.engine.events import (
    Emit,
    Note,
    OnEvent,
    PhaseStarted,
    Progress,
    RunFinished,
    RunStarted,
    fan_out,
)
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Activation
from rlcompress.network import Network
from rlcompress.problem import Score
from rlcompress.tasks.expert_episodes import Expert, ExpertLog, expert_episodes
from rlcompress.tasks.policy import SEED_BASE, PolicyTask
from rlcompress.training.distil import Distillation, Student, distil
from rlcompress.training.labels import Labels, Loss, agreement

_PLACES = 8
"""Episodes that an expert sees side by side."""

_LEAST_SPREAD = 0.05
"""Of inputs, as a share of the range that they were seen in: of a picture most points hardly ever change."""

_SCREENED = 20
"""Episodes that choose among the rounds."""


@dataclass(frozen=True)
class Imitation:
    """Settings of `imitate`.

    Args:
        hidden: widths of the student's hidden layers; empty for a linear policy.
        activation: of the hidden layers: relu or tanh.
        rounds: the expert acts in the first, the student in the others.
        visit_steps: environment steps per round, at least; whole episodes.
        train_steps: optimiser steps per round, 256 observations each; twice as many in the last.
        learning_rate: of Adam at the start of a round; falls to a tenth.
    """

    hidden: tuple[int, ...] = (64, 64)
    activation: Activation = "relu"
    rounds: int = 6
    visit_steps: int = 5_000
    train_steps: int = 2_000
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(index(width) for width in self.hidden))
        if any(width < 1 for width in self.hidden):
            raise InvalidValueError(f"hidden: widths >= 1 expected, found {self.hidden}")
        if self.activation not in ("relu", "tanh"):
            raise InvalidValueError(f"activation: 'relu' or 'tanh' expected, found {self.activation!r}")
        for name in ("rounds", "visit_steps", "train_steps"):
            if index(getattr(self, name)) < 1:
                raise InvalidValueError(f"{name}: a value >= 1 expected, found {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise InvalidValueError(f"learning_rate: a value > 0 expected, found {self.learning_rate}")


@dataclass(frozen=True, eq=False)
class Imitated:
    """What `imitate` gives.

    Args:
        network: of the round that earned most on screening episodes.
        score, expert: returns of both on the same final episodes, which nothing else saw.
        agreement: share of equal actions on episodes of the network that it did not learn from, or R^2 of continuous
            ones.
        observations: that the network learned from.
    """

    network: Network = field(repr=False)
    score: Score = field(repr=False)
    expert: Score = field(repr=False)
    agreement: float
    observations: int

    def __str__(self) -> str:
        """Both returns with their standard errors, and the agreement."""
        shown = [f"{score.mean:.1f} ± {score.std / score.count**0.5:.1f}" for score in (self.score, self.expert)]
        return (
            f"network {shown[0]}, expert {shown[1]} over {self.score.count} final episodes; "
            f"agreement {self.agreement:.3f}; learned from {self.observations:,} observations"
        )


def imitate(
    expert: Expert,
    task: PolicyTask,
    settings: Imitation | None = None,
    *,
    expert_sees: str | None = None,
    episodes: int = 100,
    seed: int = 0,
    on_event: OnEvent = None,
) -> Imitated:
    """Teach a dense network to act as an expert does, so that it can be compressed and run without it.

    Ctrl-C ends the training after its last finished round, and the figures of what was reached follow; a second one
    aborts.

    Args:
        expert: has Stable-Baselines3's `predict(observation, state, episode_start, deterministic)`, so that its models
            (and those of sb3-contrib, recurrent ones included) serve as they are. It is given the observations of the
            task as a batch; what it normalises, it normalises itself.
        task: where the network will act. Its observation has to tell what the expert remembers: stack frames where one
            is not enough.
        settings: of student and training.
        expert_sees: entry of the environment's `info` that the expert is given in place of the observation, where it
            knows more than the network will (a larger frame, the ground under a robot).
        episodes: of the final figures.
        seed: >= 0; decides first weights and batches.
        on_event: one callable or several, called with every event.

    Raises:
        InvalidValueError: an expert without `predict`, or whose actions the environment does not know; bad settings.
    """
    if not callable(getattr(expert, "predict", None)):
        raise InvalidValueError(
            "expert: an object with predict(observation, state, episode_start, deterministic) expected, "
            f"found {type(expert).__name__}"
        )
    if episodes < 1 or seed < 0:
        raise InvalidValueError(f"episodes >= 1 and seed >= 0 expected, found {episodes} and {seed}")
    emit, began, ending = fan_out(on_event), time.monotonic(), "failed"
    lessons = _Lessons(expert, task, settings or Imitation(), seed, expert_sees)
    emit(RunStarted("imitation", task.name, resumed=False))
    try:
        network, ending = _taught(lessons, emit)
        return _judged(lessons, network, episodes, emit)
    finally:
        emit(RunFinished(ending, time.monotonic() - began))


def _taught(lessons: _Lessons, emit: Emit) -> tuple[Network, str]:
    """The network of the best round, and why there was no further one."""
    found: list[tuple[float, Network]] = []
    rounds = lessons.settings.rounds
    try:
        while len(found) < rounds:
            emit(PhaseStarted("imitate", f"round {len(found) + 1} of {rounds}"))
            network = lessons.round(len(found), found[-1][1] if found else None)
            found.append((lessons.task.score(network, "screen", 0, _SCREENED).mean, network))
            emit(Note(f"round {len(found)}: return {found[-1][0]:.1f} over {_SCREENED} episodes"))
            emit(Progress(len(found) / rounds, "imitate"))
    except KeyboardInterrupt:
        if not found:
            raise
        text = f"interrupted after round {len(found)}; finishing with what there is (Ctrl-C again to abort)"
        emit(Note(text, warning=True))
    return max(found, key=lambda entry: entry[0])[1], "done" if len(found) == rounds else "interrupted"


def _judged(lessons: _Lessons, network: Network, episodes: int, emit: Emit) -> Imitated:
    emit(PhaseStarted("final", "both on episodes that no decision saw"))
    seeds = range(SEED_BASE["final"], SEED_BASE["final"] + episodes)
    expert = np.concatenate([lessons.watch(None, part).returns for part in _parts(seeds)])
    score = lessons.task.score(network, "final", 0, episodes)
    return Imitated(network, score, Score(expert), agreement(lessons.meet(network), network), lessons.learned)


def _parts(seeds: Sequence[int]) -> list[Sequence[int]]:
    return [seeds[first : first + _PLACES] for first in range(0, len(seeds), _PLACES)]


class _Lessons:
    """What was met so far, and what the expert said of it."""

    def __init__(self, expert: Expert, task: PolicyTask, settings: Imitation, seed: int, sees: str | None) -> None:
        self.expert, self.task, self.settings, self.seed, self.sees = expert, task, settings, seed, sees
        loss: Loss = "sharp" if isinstance(task.contract.head, Argmax) else "square"
        self.student = Student(settings.hidden, settings.activation, loss)
        self.next_seed = SEED_BASE["data"]
        self.labels: list[Labels] = []
        self.learned = 0

    def watch(self, actor: Network | None, seeds: Sequence[int]) -> ExpertLog:
        task = self.task
        return expert_episodes(task.environment, task.contract, task.output_size, self.expert, actor, seeds, self.sees)

    def meet(self, actor: Network | None) -> Labels:
        """What `actor` (or the expert) meets in the next episodes, with what the expert says of it."""
        seeds = range(self.next_seed, self.next_seed + _PLACES)
        self.next_seed += _PLACES
        log = self.watch(actor, seeds)
        return Labels(log.observations, log.choices)

    def round(self, number: int, actor: Network | None) -> Network:
        """Let `actor` (or the expert) act, and go on training with all that is known then."""
        steps = 0
        while steps < self.settings.visit_steps:
            self.labels.append(self.meet(actor))
            steps += len(self.labels[-1].observations)
        last = number == self.settings.rounds - 1
        training = Distillation(
            steps=self.settings.train_steps * (2 if last else 1),
            learning_rate=self.settings.learning_rate,
            least_spread=_LEAST_SPREAD,
        )
        known = Labels(
            np.concatenate([part.observations for part in self.labels]),
            np.concatenate([part.targets for part in self.labels]),
        )
        seed = self.seed * 1000 + number
        (network,) = distil([self.student], [known], self.task.contract, training, seed, [actor])
        self.learned = len(known.observations)
        return network
