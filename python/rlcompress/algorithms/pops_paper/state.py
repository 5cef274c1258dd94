"""The state of a run of the published loop: values only, so that a checkpoint is the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rlcompress.algorithms.pops.judge import bar
from rlcompress.algorithms.pops.state import State
from rlcompress.algorithms.pops_paper.config import PaperSettings
from rlcompress.algorithms.pops_paper.masked import Learner
from rlcompress.problem import Float64Array, Problem
from rlcompress.training.labels import Labels, label

_REFILL_START = 20_000
_REFILL_POOL = 900_000


@dataclass(frozen=True, eq=False)
class PaperState:
    """Everything between two steps.

    Args:
        phase: `prune`, `shrink`, `final` or `done`.
        record: teacher's scores, shrunk students, acceptance test and notes, in the form of `PoPS()`.
        learner: the student in training.
        buffer: the teacher's own observations, newest last, with its answers.
        refills: of the buffer so far.
        rounds: shrinks so far.
        size: weights of the present student before pruning.
        iteration: of the present phase.
        batches: minibatches of the present iteration.
        clock: steps of the pruning schedule; stands still while paused.
        paused: whether pruning waits for the student to recover.
        scores: evaluations of the present iteration (pruning).
        low_scores: consecutive evaluations of the iteration below the lower bound.
        low_iterations: consecutive iterations whose mean is below the lower bound.
        idle_iterations: consecutive iterations that could not prune and did not.
        kept_before: weights kept at the end of the iteration before.
        sparsest: weights per layer of the sparsest student of this phase that reached the objective; empty before.
        good_epochs: consecutive epochs that reached the objective (after a shrink).
    """

    phase: str
    record: State
    learner: Learner
    buffer: Labels
    size: int
    sparsest: tuple[int, ...] = ()
    refills: int = 0
    rounds: int = 0
    iteration: int = 0
    batches: int = 0
    clock: int = 0
    paused: bool = False
    scores: tuple[float, ...] = ()
    low_scores: int = 0
    low_iterations: int = 0
    idle_iterations: int = 0
    kept_before: int = 0
    good_epochs: int = 0


def begin_pruning(state: PaperState) -> PaperState:
    """The schedule from its start."""
    learner = state.learner
    size = sum(weight.size for weight in learner.weights)
    return replace(
        state,
        phase="prune",
        size=size,
        sparsest=(),
        kept_before=size,
        iteration=0,
        batches=0,
        clock=0,
        paused=False,
        scores=(),
        low_scores=0,
        low_iterations=0,
        idle_iterations=0,
    )


def objective(settings: PaperSettings, state: PaperState) -> float:
    """Mean return that counts as solved."""
    return bar(state.record.teacher_values, settings.keep_return)


def lower_bound(settings: PaperSettings, state: PaperState) -> float:
    """Mean return below which pruning pauses."""
    return objective(settings, state) - settings.lower_margin * abs(float(state.record.teacher_values.mean()))


def refilled(problem: Problem, settings: PaperSettings, state: PaperState) -> PaperState:
    """The buffer with fresh episodes of the teacher; the oldest observations leave."""
    stride = settings.observe + 8
    start = _REFILL_START + state.refills % max(1, _REFILL_POOL // stride) * stride
    seen = problem.task.visit(problem.teacher, start, settings.observe, problem.seed)
    joined = state.buffer.joined(label(problem.teacher, seen.observations))
    kept = Labels(joined.observations[-settings.memory :], joined.targets[-settings.memory :])
    return replace(state, buffer=kept, refills=state.refills + 1)


def evaluated(problem: Problem, state: PaperState, episodes: int) -> tuple[PaperState, Float64Array]:
    """Returns of the present student on screen episodes that were not used before."""
    record = state.record
    network = state.learner.network(problem.teacher)
    values = problem.task.score(network, "screen", record.screened_to, episodes).values
    return replace(state, record=replace(record, screened_to=record.screened_to + episodes)), values


def rng_for(problem: Problem, state: PaperState) -> np.random.Generator:
    """Random numbers of the next step."""
    phase = ("prune", "shrink").index(state.phase)
    return np.random.default_rng((problem.seed, 29, state.rounds, phase, state.iteration, state.batches))


def decayed(rate: float, iteration: int, iterations: int) -> float:
    """Learning rate that falls to a tenth over `iterations` and stays there."""
    return float(rate * 0.1 ** min(1.0, iteration / iterations))
