"""Iterative policy pruning: masks that grow along a cubic schedule while the student learns from the teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlcompress.algorithms.pops_paper.config import PaperSettings
from rlcompress.algorithms.pops_paper.masked import Lesson, train
from rlcompress.algorithms.pops_paper.shrinking import begin_shrink, conclude
from rlcompress.algorithms.pops_paper.state import (
    PaperState,
    decayed,
    evaluated,
    lower_bound,
    objective,
    refilled,
    rng_for,
)
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.problem import Problem

_PATIENCE = 5


def prune_step(problem: Problem, settings: PaperSettings, state: PaperState, emit: Emit) -> PaperState:
    """Minibatches up to the next evaluation, the evaluation, and what follows from it."""
    if not state.batches:
        emit(PhaseStarted("prune", f"round {state.rounds + 1}, iteration {state.iteration + 1}: {_words(state)}"))
        state = refilled(problem, settings, state)
    steps = min(settings.evaluate_every, settings.iteration_steps - state.batches)
    length = max(1, settings.schedule_steps // settings.iteration_steps)
    lesson = Lesson(
        steps=steps,
        batch_size=settings.batch_size,
        learning_rate=decayed(settings.prune_rate, state.iteration, length),
        temperature=settings.temperature,
        pruning_frequency=0 if state.paused else settings.pruning_frequency,
        clock=state.clock,
    )
    rng = rng_for(problem, state)
    learner = train(state.learner, problem.teacher, state.buffer, lesson, rng, settings.sparsity_at)
    moved = replace(
        state,
        learner=learner,
        batches=state.batches + steps,
        clock=state.clock + (0 if state.paused else steps),
    )
    emit(Progress(min(1.0, moved.clock / settings.schedule_steps), "prune"))
    moved, values = evaluated(problem, moved, settings.prune_episodes)
    moved = after_evaluation(settings, moved, float(values.mean()))
    if _complete(settings, moved):
        return begin_shrink(problem, settings, moved, emit)
    if moved.low_scores < _PATIENCE and moved.batches < settings.iteration_steps:
        return moved
    moved = after_iteration(settings, moved)
    if not gave_up(settings, moved):
        return moved
    return (begin_shrink if moved.sparsest else conclude)(problem, settings, moved, emit)


def _words(state: PaperState) -> str:
    share = 1 - sum(state.learner.kept) / state.size
    return f"{share:.1%} pruned{', paused' if state.paused else ''}"


def after_evaluation(settings: PaperSettings, state: PaperState, score: float) -> PaperState:
    """Keep a student that reaches the objective and prune on; pause below the lower bound; else go on as before."""
    state = replace(state, scores=(*state.scores, score))
    if score >= objective(settings, state):
        fewer = not state.sparsest or sum(state.learner.kept) <= sum(state.sparsest)
        kept = state.learner.kept if fewer else state.sparsest
        return replace(state, sparsest=kept, paused=False, low_scores=0)
    if score < lower_bound(settings, state):
        return replace(state, paused=True, low_scores=state.low_scores + 1)
    return replace(state, low_scores=0)


def after_iteration(settings: PaperSettings, state: PaperState) -> PaperState:
    """Count iterations that failed or stood still, and begin the next one."""
    kept = sum(state.learner.kept)
    failed = float(np.mean(state.scores)) < lower_bound(settings, state)
    stuck = kept == state.kept_before and (state.paused or state.clock >= settings.schedule_steps)
    return replace(
        state,
        iteration=state.iteration + 1,
        batches=0,
        scores=(),
        low_scores=0,
        low_iterations=state.low_iterations + 1 if failed else 0,
        idle_iterations=state.idle_iterations + 1 if stuck else 0,
        kept_before=kept,
    )


def _complete(settings: PaperSettings, state: PaperState) -> bool:
    """The sparsest network that the schedule leads to has reached the objective."""
    return settings.schedule_steps <= state.clock and state.sparsest == state.learner.kept


def gave_up(settings: PaperSettings, state: PaperState) -> bool:
    """Five iterations in a row failed or stood still, or all of them are spent."""
    spent = state.iteration >= settings.prune_iterations
    return spent or _PATIENCE in (state.low_iterations, state.idle_iterations)
