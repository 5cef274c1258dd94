"""A dense network out of any policy: recurrent, convolutional, written by hand.

Source: S. Ross, G. Gordon, D. Bagnell, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning" (2011): the student acts, the expert says what it would have done, and the student learns from all that was
met so far. Deviates: the network of the round that earned most is kept, not the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any, Union

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
from rlcompress.imitation_rounds import Rounds, load_rounds, save_rounds
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
    checkpoint: Union[str, PathLike[str], None] = None,
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
        checkpoint: file that keeps finished rounds, so that the same call goes on behind the last, with the same
            network in the end. It does not know the expert.
        on_event: one callable or several, called with every event.

    Raises:
        InvalidValueError: an expert without `predict`, or whose actions the environment does not know; bad settings.
        CheckpointError: the checkpoint is damaged or of another imitation.
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
    path = None if checkpoint is None else Path(checkpoint)
    rounds = Rounds() if path is None else load_rounds(path, lessons.identity)
    emit(RunStarted("imitation", task.name, resumed=rounds.count > 0))
    try:
        rounds, ending = _taught(lessons, rounds, path, emit)
        return _judged(lessons, rounds, episodes, emit)
    finally:
        emit(RunFinished(ending, time.monotonic() - began))


def _taught(lessons: _Lessons, rounds: Rounds, checkpoint: Path | None, emit: Emit) -> tuple[Rounds, str]:
    """All rounds, and why there was no further one."""
    wanted = lessons.settings.rounds
    try:
        while rounds.count < wanted:
            emit(PhaseStarted("imitate", f"round {rounds.count + 1} of {wanted}"))
            rounds = lessons.after(rounds)
            if checkpoint is not None:
                save_rounds(checkpoint, rounds, lessons.identity)
            emit(Note(f"round {rounds.count}: return {rounds.returns[-1]:.1f} over {_SCREENED} episodes"))
            emit(Progress(rounds.count / wanted, "imitate"))
    except KeyboardInterrupt:
        if not rounds.count:
            raise
        text = f"interrupted after round {rounds.count}; finishing with what there is (Ctrl-C again to abort)"
        emit(Note(text, warning=True))
    return rounds, "done" if rounds.count == wanted else "interrupted"


def _judged(lessons: _Lessons, rounds: Rounds, episodes: int, emit: Emit) -> Imitated:
    emit(PhaseStarted("final", "both on episodes that no decision saw"))
    seeds = range(SEED_BASE["final"], SEED_BASE["final"] + episodes)
    network = rounds.best
    expert = np.concatenate([lessons.watch(None, part).returns for part in _parts(seeds)])
    score = lessons.task.score(network, "final", 0, episodes)
    learned = 0 if rounds.labels is None else len(rounds.labels.observations)
    return Imitated(network, score, Score(expert), agreement(lessons.meet(network, rounds.next_seed), network), learned)


def _parts(seeds: Sequence[int]) -> list[Sequence[int]]:
    return [seeds[first : first + _PLACES] for first in range(0, len(seeds), _PLACES)]


@dataclass(frozen=True, eq=False)
class _Lessons:
    """Who teaches whom, where and how."""

    expert: Expert
    task: PolicyTask
    settings: Imitation
    seed: int
    sees: str | None

    @property
    def identity(self) -> dict[str, Any]:
        """What the rounds depend on, apart from the expert; JSON-able."""
        settings = asdict(self.settings) | {"hidden": list(self.settings.hidden)}
        return {
            "settings": settings,
            "task": dict(self.task.describe()),
            "seed": self.seed,
            "expert_sees": self.sees,
        }

    def watch(self, actor: Network | None, seeds: Sequence[int]) -> ExpertLog:
        task = self.task
        return expert_episodes(task.environment, task.contract, task.output_size, self.expert, actor, seeds, self.sees)

    def meet(self, actor: Network | None, first_seed: int) -> Labels:
        """What `actor` (or the expert) meets in the next episodes, with what the expert says of it."""
        log = self.watch(actor, range(first_seed, first_seed + _PLACES))
        return Labels(log.observations, log.choices)

    def after(self, rounds: Rounds) -> Rounds:
        """One round more: let the last network (or the expert) act, and go on training with all that is known then."""
        actor = rounds.networks[-1] if rounds.count else None
        met, steps, seed = [] if rounds.labels is None else [rounds.labels], 0, rounds.next_seed
        while steps < self.settings.visit_steps:
            met.append(self.meet(actor, seed))
            seed += _PLACES
            steps += len(met[-1].observations)
        labels = Labels(
            np.concatenate([part.observations for part in met]), np.concatenate([part.targets for part in met])
        )
        network = self._trained(labels, rounds.count, actor)
        score = self.task.score(network, "screen", 0, _SCREENED).mean
        return Rounds((*rounds.networks, network), (*rounds.returns, score), labels, seed)

    def _trained(self, labels: Labels, number: int, actor: Network | None) -> Network:
        last = number == self.settings.rounds - 1
        training = Distillation(
            steps=self.settings.train_steps * (2 if last else 1),
            learning_rate=self.settings.learning_rate,
            least_spread=_LEAST_SPREAD,
        )
        loss: Loss = "sharp" if isinstance(self.task.contract.head, Argmax) else "square"
        student = Student(self.settings.hidden, self.settings.activation, loss)
        (network,) = distil([student], [labels], self.task.contract, training, self.seed * 1000 + number, [actor])
        return network
