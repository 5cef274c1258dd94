"""Distil phase: waves of students, trained on what they themselves visit (relabelled by the teacher), then confirmed
smallest first.

Source: S. Ross, G. Gordon, D. Bagnell, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning" (2011). Deviates from PoPS (Livne & Cohen 2020): students are small from the start instead of read off one
pruning level; depth is searched down to none; students learn on their own states; the smallest accepted one wins, not
the last.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlcompress.algorithms.pops.config import LADDERS, Settings, parameters_of, students_of
from rlcompress.algorithms.pops.judge import accepted, bar, try_candidate
from rlcompress.algorithms.pops.screening import (
    best_of_each_shape,
    largest_wanted,
    promising,
    screen_shelf,
    settled,
    visit_score,
)
from rlcompress.algorithms.pops.state import Member, Shelved, State
from rlcompress.engine.events import Emit, Note, PhaseStarted, Progress
from rlcompress.network import Network
from rlcompress.problem import Problem
from rlcompress.shrink import keep_neurons
from rlcompress.training.distil import Distillation, Student, distil, student_contract
from rlcompress.training.labels import Labels, label, suited_losses

_LEARNING_RATE = 1e-2
_FINER = 10
"""By how much the last round of a wave learns more slowly: what many rounds have found settles."""

_FAR = (0.3, 0.6)
_FAR_OBSERVATIONS = 10_000
_FOCUS_WAVES = 3
_ATTEMPTS_PER_SHAPE = 4


def begin_wave(problem: Problem, state: State, students: tuple[Student, ...]) -> State:
    """Fresh students, all starting from the teacher's own observations; with none, on to the next phase."""
    if not students:
        return replace(state, phase="polish", members=())
    contract = student_contract(problem.teacher)
    known = _wider(problem, state.base) if state.ladder else state.base
    start = [_warm_start(state, student) for student in students]
    networks = distil(
        students, [known] * len(students), contract, Distillation(steps=1, learning_rate=1e-9), problem.seed, start
    )
    members = tuple(Member(student, network, known) for student, network in zip(students, networks))
    return replace(state, phase="distil", members=members, round=0, wave=state.wave + 1)


def _wider(problem: Problem, base: Labels) -> Labels:
    """The teacher's observations with those far off its way, which larger students have room to learn."""
    for index, explore in enumerate(_FAR):
        met = problem.task.visit(problem.teacher, 700 + 100 * index, _FAR_OBSERVATIONS, problem.seed, explore)
        base = base.joined(label(problem.teacher, met.observations))
    return base


def _warm_start(state: State, student: Student) -> Network | None:
    """For every third variant the kept neurons of a larger good student; the others start fresh."""
    if student.variant % 3 != 2 or not student.hidden:
        return None
    larger = [
        entry
        for entry in state.shelf
        if len(entry.student.hidden) == len(student.hidden)
        and entry.student.activation == student.activation
        and all(have > want for have, want in zip(entry.student.hidden, student.hidden))
    ]
    if not larger:
        return None
    best = max(larger, key=lambda entry: entry.mean)
    return keep_neurons(best.network, student.hidden, state.base.observations)


def distil_round(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Train all members, let each act, relabel what it met, and shelve the best snapshots."""
    last = state.round == settings.rounds - 1 or settled(settings, state)
    emit(PhaseStarted("distil", f"round {state.round + 1} of {settings.rounds}: {len(state.members)} students"))
    networks = distil(
        [member.student for member in state.members],
        [member.labels for member in state.members],
        state.members[0].network.contract,
        Distillation(
            steps=settings.train_steps * (2 if last else 1) * 2**state.ladder,
            learning_rate=_LEARNING_RATE / 3**state.ladder / (_FINER if last else 1),
        ),
        problem.seed * 1000 + state.round,
        [member.network for member in state.members],
    )
    start = 1_000 * (1 + state.round + settings.rounds * state.wave)
    batches = problem.task.visit_many([*networks, problem.teacher], start, settings.visit_steps, problem.seed)
    played = batches.pop()
    rng = np.random.default_rng((problem.seed, state.wave, state.round))
    members, entries = [], list(state.shelf)
    for member, network, batch in zip(state.members, networks, batches):
        mean, error = visit_score(batch.scores, played.scores, state.teacher_values)
        entries.append(Shelved(member.student, network, mean, error, np.zeros(0)))
        pick = rng.permutation(len(batch.observations))[: settings.visit_steps]
        met = label(problem.teacher, batch.observations[np.sort(pick)])
        members.append(Member(member.student, network, member.labels.joined(met)))
    emit(Progress((state.round + 1) / settings.rounds, "distil"))
    if state.round + 1 == settings.rounds // 2:
        members = _better_half(members, [float(batch.scores.mean()) for batch in batches])
    newest = entries[len(state.shelf) :] if last else []
    shelf = best_of_each_shape(entries, newest)
    moved = replace(state, members=tuple(members), shelf=shelf, round=state.round + 1)
    if not last:
        return _without_oversized(settings, moved)
    screened = screen_shelf(problem, settings, moved, largest_wanted(settings, moved))
    return _after_wave(problem, settings, screened, emit)


def _better_half(members: list[Member], means: list[float]) -> list[Member]:
    """At half time, of each shape's students the half that earned more on its visits."""
    kept: list[int] = []
    for hidden in {member.student.hidden for member in members}:
        group = [index for index, member in enumerate(members) if member.student.hidden == hidden]
        group.sort(key=lambda index: -means[index])
        kept.extend(group[: (len(group) + 1) // 2])
    return [members[index] for index in sorted(kept)]


def _without_oversized(settings: Settings, state: State) -> State:
    """Stop training students that are much larger than ones that already seem good enough."""
    limit = largest_wanted(settings, state)
    kept = tuple(member for member in state.members if member.network.parameter_count <= limit)
    return replace(state, members=kept or state.members)


def _after_wave(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Focus below the smallest good shape once; climb the next ladder when nothing is good; else confirm."""
    screened = [entry for entry in state.shelf if entry.screened.size]
    good = [entry for entry in screened if promising(state, entry) >= bar(state.teacher_values, settings.keep_return)]
    if not good:
        return climb(problem, settings, state, emit)
    smallest = min(entry.parameters for entry in good)
    inputs, outputs = problem.teacher.input_size, problem.teacher.output_size
    below = tuple(
        shape
        for shape in LADDERS[0] + LADDERS[1]
        if parameters_of(shape, inputs, outputs) < smallest and parameters_of(shape, inputs, outputs) * 4 > smallest
    )
    if not below or state.wave > _FOCUS_WAVES or 0 < state.focused <= smallest:
        return replace(state, phase="confirm")
    emit(Note(f"{smallest} parameters seem enough; looking closer at {len(below)} smaller shapes"))
    first = settings.variants + state.wave * settings.focus_variants
    students = students_of(below, suited_losses(problem.teacher), range(first, first + settings.focus_variants))
    return begin_wave(problem, replace(state, focused=smallest), students)


def climb(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """The next ladder of larger shapes, or on without a distilled student when there is none."""
    inputs, outputs = problem.teacher.input_size, problem.teacher.output_size
    for ladder in range(state.ladder + 1, len(LADDERS)):
        shapes = tuple(
            shape
            for shape in LADDERS[ladder]
            if parameters_of(shape, inputs, outputs) < 0.9 * problem.teacher.parameter_count
        )
        if shapes:
            emit(Note(f"no student of up to {max(LADDERS[ladder - 1], key=sum)} is good enough; trying larger ones"))
            students = students_of(shapes, suited_losses(problem.teacher)[:2], range(settings.variants))
            return begin_wave(problem, replace(state, ladder=ladder, focused=0), students)
    return replace(state, phase="polish", members=(), ladder=len(LADDERS))


def _attempts(state: State, entry: Shelved) -> int:
    same = {other.student.name for other in state.shelf if other.student.hidden == entry.student.hidden}
    return len(same.intersection(state.confirmed))


def confirm(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """One acceptance test, of the smallest student that was not tested yet and could pass.

    Ends at the first accepted.
    """
    if not state.confirmed:
        emit(PhaseStarted("confirm", "testing distilled students on held-out episodes, smallest first"))
    wanted = bar(state.teacher_values, settings.keep_return)
    screened = [entry for entry in state.shelf if entry.screened.size]
    waiting = [entry for entry in screened if entry.mean >= wanted and _attempts(state, entry) < _ATTEMPTS_PER_SHAPE]
    waiting = [entry for entry in waiting if entry.student.name not in state.confirmed]
    if accepted(state, uses_reward=False):
        return replace(state, phase="trim")
    if not waiting and len(screened) < len(state.shelf):
        return _after_wave(problem, settings, screen_shelf(problem, settings, state, np.inf), emit)
    if not waiting:
        return climb(problem, settings, state, emit)
    entry = min(waiting, key=lambda entry: (entry.parameters, -entry.mean))
    tried = replace(state, confirmed=(*state.confirmed, entry.student.name))
    name = f"{entry.student.name} float32"
    return try_candidate(problem, settings, tried, emit, entry.network, name, "distilled", entry.student)
