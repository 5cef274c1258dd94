"""Shrink: a smaller dense network with fresh weights, taught by the teacher until it is good five times in a row."""

from __future__ import annotations

from dataclasses import replace

from rlcompress.algorithms.pops.judge import try_candidate
from rlcompress.algorithms.pops.state import Shelved
from rlcompress.algorithms.pops_paper.config import PaperSettings
from rlcompress.algorithms.pops_paper.masked import Lesson, fresh, train
from rlcompress.algorithms.pops_paper.sizing import kept_weights, shrunk_widths
from rlcompress.algorithms.pops_paper.state import (
    PaperState,
    begin_pruning,
    decayed,
    evaluated,
    objective,
    refilled,
    rng_for,
)
from rlcompress.engine.events import Emit, Note, PhaseStarted, Progress
from rlcompress.problem import Problem
from rlcompress.training.distil import Student
from rlcompress.training.labels import suited_losses

_GOOD_IN_A_ROW = 5


def redundancy(problem: Problem, kept: tuple[int, ...]) -> tuple[float, ...]:
    """Share of each of the teacher's layers that is not needed: `1 - kept / weights of that layer`."""
    sizes = [layer.weight.size for layer in problem.teacher.layers]
    return tuple(1 - count / size for count, size in zip(kept, sizes))


def begin_shrink(problem: Problem, settings: PaperSettings, state: PaperState, emit: Emit) -> PaperState:
    """The dense student that the redundancy asks for."""
    teacher = problem.teacher
    found = redundancy(problem, state.sparsest)
    kept = kept_weights([layer.weight.size for layer in teacher.layers], found)
    hidden = shrunk_widths(teacher.widths, kept, state.size, settings.sizing)
    shares = ", ".join(f"{share:.1%}" for share in found)
    emit(Note(f"redundancy per layer {shares}: the next student has hidden widths {_name(hidden)}"))
    moved = replace(state, phase="shrink", iteration=0, batches=0, good_epochs=0)
    learner = fresh((teacher.input_size, *hidden, teacher.output_size), rng_for(problem, moved))
    return replace(moved, learner=learner)


def shrink_step(problem: Problem, settings: PaperSettings, state: PaperState, emit: Emit) -> PaperState:
    """One epoch of the shrunk student and its evaluation."""
    emit(
        PhaseStarted("shrink", f"round {state.rounds + 1}: {_name(state.learner.hidden)}, epoch {state.iteration + 1}")
    )
    moved = refilled(problem, settings, state)
    lesson = Lesson(
        steps=settings.iteration_steps,
        batch_size=settings.shrink_batch_size,
        learning_rate=decayed(settings.shrink_rate, state.iteration, settings.shrink_epochs),
        temperature=settings.temperature,
    )
    # The first number of this state's generator made the weights; the epochs must not repeat it.
    rng = rng_for(problem, replace(state, batches=1))
    learner = train(state.learner, problem.teacher, moved.buffer, lesson, rng)
    moved, values = evaluated(problem, replace(moved, learner=learner), settings.shrink_episodes)
    good = moved.good_epochs + 1 if float(values.mean()) >= objective(settings, moved) else 0
    moved = replace(moved, iteration=moved.iteration + 1, good_epochs=good)
    emit(Progress(moved.iteration / settings.shrink_epochs, "shrink"))
    if good < _GOOD_IN_A_ROW and moved.iteration < settings.shrink_epochs:
        return moved
    return _end_round(problem, settings, moved, emit)


def _end_round(problem: Problem, settings: PaperSettings, state: PaperState, emit: Emit) -> PaperState:
    """Prune the shrunk student next, or conclude when it is hardly smaller than the one before."""
    moved, values = evaluated(problem, state, settings.min_episodes)
    network = moved.learner.network(problem.teacher)
    loss = suited_losses(problem.teacher)[0]
    student = Student(moved.learner.hidden, problem.teacher.layers[0].activation, loss, moved.rounds)
    error = float(values.std()) / float(values.size) ** 0.5
    entry = Shelved(student, network, float(values.mean()), error, values)
    moved = replace(moved, record=replace(moved.record, shelf=(*moved.record.shelf, entry)), rounds=moved.rounds + 1)
    full = sum(layer.weight.size for layer in problem.teacher.layers)
    size = sum(weight.size for weight in moved.learner.weights)
    gained = 100 * (state.size - size) / full
    emit(Note(f"round {moved.rounds}: {size} weights ({100 * size / full:.2f} %), mean return {entry.mean:.2f}"))
    if gained >= settings.size_tolerance:
        return begin_pruning(moved)
    return conclude(problem, settings, moved, emit)


def conclude(problem: Problem, settings: PaperSettings, state: PaperState, emit: Emit) -> PaperState:
    """Take the last shrunk student as the result and test it."""
    if not state.record.shelf:
        text = "no pruned copy of the teacher reached the objective, so nothing was shrunk"
        return replace(state, phase="final", record=replace(state.record, notes=(*state.record.notes, text)))
    last = state.record.shelf[-1]
    name = f"{_name(last.student.hidden)} float32"
    record = try_candidate(problem, settings.gate, state.record, emit, last.network, name, "distilled")
    return replace(state, phase="final", record=record)


def _name(hidden: tuple[int, ...]) -> str:
    return "-".join(map(str, hidden)) if hidden else "linear"
