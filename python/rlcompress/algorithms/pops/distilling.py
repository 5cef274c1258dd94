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

from rlcompress.algorithms.pops.config import LADDERS, Settings, Shape, parameters_of, students_of
from rlcompress.algorithms.pops.judge import accepted, bar, corrected, screen, try_candidate
from rlcompress.algorithms.pops.state import Member, Shelved, State
from rlcompress.engine.events import Emit, Note, PhaseStarted, Progress
from rlcompress.network import Network
from rlcompress.problem import Float64Array, Problem
from rlcompress.shrink import keep_neurons
from rlcompress.training.distil import Distillation, Student, distil, student_contract
from rlcompress.training.labels import Labels, label, suited_losses

_SCREEN_FIRST = 40
_SCREEN_MORE = 160
_SCREEN_STEPS = 40_000
_HOPEFUL = 24
_LEARNING_RATE = 1e-2
_FINER = 10
"""By how much the last round of a wave learns more slowly: what many rounds have found settles."""

_OVERSIZE = 1.7
_FAR = (0.3, 0.6)
_FAR_OBSERVATIONS = 10_000
_ERRORS = 1
_ERRORS_AFTER_FAILURE = 3
_FOCUS_WAVES = 3
_PER_SHAPE = 4
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
    last = state.round == settings.rounds - 1 or _settled(settings, state)
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
        mean, error = _visit_score(batch.scores, played.scores, state.teacher_values)
        entries.append(Shelved(member.student, network, mean, error, np.zeros(0)))
        pick = rng.permutation(len(batch.observations))[: settings.visit_steps]
        met = label(problem.teacher, batch.observations[np.sort(pick)])
        members.append(Member(member.student, network, member.labels.joined(met)))
    emit(Progress((state.round + 1) / settings.rounds, "distil"))
    if state.round + 1 == settings.rounds // 2:
        members = _better_half(members, [float(batch.scores.mean()) for batch in batches])
    newest = entries[len(state.shelf) :] if last else []
    shelf = _best_of_each_shape(entries, newest)
    moved = replace(state, members=tuple(members), shelf=shelf, round=state.round + 1)
    if not last:
        return _without_oversized(settings, moved)
    return _screen(problem, settings, moved, emit, _largest_wanted(settings, moved))


def _visit_score(scores: Float64Array, teacher: Float64Array, known: Float64Array) -> tuple[float, float]:
    """Mean and standard error of a student's visits, corrected by the teacher's on the same units."""
    both = min(scores.size, teacher.size)
    values = corrected(scores[:both], teacher[:both], known)
    return float(values.mean()), float(values.std() / np.sqrt(both))


def _better_half(members: list[Member], means: list[float]) -> list[Member]:
    """At half time, of each shape's students the half that earned more on its visits."""
    kept: list[int] = []
    for hidden in {member.student.hidden for member in members}:
        group = [index for index, member in enumerate(members) if member.student.hidden == hidden]
        group.sort(key=lambda index: -means[index])
        kept.extend(group[: (len(group) + 1) // 2])
    return [members[index] for index in sorted(kept)]


def _good_size(settings: Settings, state: State) -> int:
    """Parameters of the smallest shape of which two students seem good enough."""
    wanted = bar(state.teacher_values, settings.keep_return)
    names: dict[int, set[str]] = {}
    for entry in state.shelf:
        if _promising(state, entry) >= wanted:
            names.setdefault(entry.parameters, set()).add(entry.student.name)
    return min((size for size, found in names.items() if len(found) > 1), default=10**9)


def _largest_wanted(settings: Settings, state: State) -> float:
    """Parameters beyond which a student is too large to matter."""
    return _OVERSIZE * _good_size(settings, state)


def _promising(state: State, entry: Shelved) -> float:
    """What is known of a snapshot: its mean on the screen, before that a lower bound of the few visits.

    Stricter where all small students failed the screen: their visits had promised too much. Nothing where its student
    failed the acceptance test.
    """
    if entry.student.name in state.confirmed:
        return -np.inf
    errors = _ERRORS if state.ladder == 0 else _ERRORS_AFTER_FAILURE
    return entry.mean if entry.screened.size else entry.visit_mean - errors * entry.visit_error


def _settled(settings: Settings, state: State) -> bool:
    """Whether several linear students are good enough and one is as good as the teacher: no further round can make the
    result smaller.
    """
    linear = [entry for entry in state.shelf if not entry.student.hidden]
    best = max((_promising(state, entry) for entry in linear), default=-np.inf)
    return best >= state.teacher_values.mean() and _good_size(settings, state) == linear[0].parameters


def _without_oversized(settings: Settings, state: State) -> State:
    """Stop training students that are much larger than ones that already seem good enough."""
    limit = _largest_wanted(settings, state)
    kept = tuple(member for member in state.members if member.network.parameter_count <= limit)
    return replace(state, members=kept or state.members)


def _key(entry: Shelved) -> tuple[Shape, str]:
    return entry.student.hidden, entry.student.activation


def _best_of_each_shape(entries: list[Shelved], newest: list[Shelved]) -> tuple[Shelved, ...]:
    """The best few snapshots of each shape, in order of size; screened ones and the newest stay."""
    kept: list[Shelved] = []
    for key in sorted({_key(entry) for entry in entries}, key=str):
        group = [entry for entry in entries if _key(entry) == key]
        screened = [entry for entry in group if entry.screened.size]
        fresh = sorted((entry for entry in group if not entry.screened.size), key=lambda entry: -entry.visit_mean)
        last = [entry for entry in fresh[_PER_SHAPE:] if any(entry is other for other in newest)]
        kept.extend(screened + fresh[:_PER_SHAPE] + last)
    return tuple(sorted(kept, key=lambda entry: (entry.parameters, -entry.mean)))


def _screen(problem: Problem, settings: Settings, state: State, emit: Emit, limit: float) -> State:
    """Score the shelf on fresh units.

    All of up to `limit` parameters a little, then the smallest of those that could pass more. Where none of them is
    good enough, the limit was set by a promise that did not hold, and larger ones come next.
    """
    wanted = bar(state.teacher_values, settings.keep_return)
    fresh = [entry for entry in state.shelf if not entry.screened.size and entry.parameters <= limit]
    moved, scored = _score_more(problem, settings, state, fresh, _SCREEN_FIRST)
    ordered = sorted(scored, key=lambda entry: (_optimistic(entry) < wanted, entry.parameters, -entry.mean))
    hopeful = [entry for entry in ordered[:_HOPEFUL] if _optimistic(entry) >= wanted]
    more = int(np.clip(_SCREEN_STEPS / state.episode_length, _SCREEN_FIRST, _SCREEN_MORE))
    moved, again = _score_more(problem, settings, moved, hopeful, more)
    rest = [entry for entry in ordered if not any(entry is other for other in hopeful)]
    old = [entry for entry in state.shelf if entry.screened.size]
    left = [entry for entry in state.shelf if not entry.screened.size and entry.parameters > limit]
    shelf = tuple(sorted(old + again + rest + left, key=lambda entry: (entry.parameters, -entry.mean)))
    moved = replace(moved, shelf=shelf, members=())
    if left and not any(_promising(moved, entry) >= wanted for entry in old + again + rest):
        return _screen(problem, settings, moved, emit, _largest_wanted(settings, moved))
    return _after_wave(problem, settings, moved, emit)


def _score_more(
    problem: Problem, settings: Settings, state: State, entries: list[Shelved], count: int
) -> tuple[State, list[Shelved]]:
    moved, values = screen(problem, settings, state, [entry.network for entry in entries], count)
    return moved, [
        replace(entry, screened=np.concatenate([entry.screened, found])) for entry, found in zip(entries, values)
    ]


def _optimistic(entry: Shelved) -> float:
    """Mean plus one and a half standard errors."""
    return entry.mean + 1.5 * float(entry.screened.std()) / float(np.sqrt(max(1, entry.screened.size)))


def _after_wave(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Focus below the smallest good shape once; climb the next ladder when nothing is good; else confirm."""
    screened = [entry for entry in state.shelf if entry.screened.size]
    good = [entry for entry in screened if _promising(state, entry) >= bar(state.teacher_values, settings.keep_return)]
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
        return _screen(problem, settings, state, emit, np.inf)
    if not waiting:
        return climb(problem, settings, state, emit)
    entry = min(waiting, key=lambda entry: (entry.parameters, -entry.mean))
    tried = replace(state, confirmed=(*state.confirmed, entry.student.name))
    name = f"{entry.student.name} float32"
    return try_candidate(problem, settings, tried, emit, entry.network, name, "distilled", entry.student)
