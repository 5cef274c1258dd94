"""What is known of students between training and acceptance: their visits, then a screen on fresh units.

Deviates from PoPS (Livne & Cohen 2020), which looks at one student at a time: here many small ones are compared, and
only what could pass is scored further.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlcompress.algorithms.pops.config import Settings, Shape
from rlcompress.algorithms.pops.judge import bar, corrected, screen
from rlcompress.algorithms.pops.state import Shelved, State
from rlcompress.problem import Float64Array, Problem

_SCREEN_FIRST = 40
_SCREEN_MORE = 160
_SCREEN_STEPS = 40_000
_HOPEFUL = 24
_OVERSIZE = 1.7
_ERRORS = 1
_ERRORS_AFTER_FAILURE = 3
_PER_SHAPE = 4


def visit_score(scores: Float64Array, teacher: Float64Array, known: Float64Array) -> tuple[float, float]:
    """Mean and standard error of a student's visits, corrected by the teacher's on the same units."""
    both = min(scores.size, teacher.size)
    values = corrected(scores[:both], teacher[:both], known)
    return float(values.mean()), float(values.std() / np.sqrt(both))


def promising(state: State, entry: Shelved) -> float:
    """What is known of a snapshot: its mean on the screen, before that a lower bound of the few visits.

    Stricter where all small students failed the screen: their visits had promised too much. Nothing where its student
    failed the acceptance test.
    """
    if entry.student.name in state.confirmed:
        return -np.inf
    errors = _ERRORS if state.ladder == 0 else _ERRORS_AFTER_FAILURE
    return entry.mean if entry.screened.size else entry.visit_mean - errors * entry.visit_error


def _good_size(settings: Settings, state: State) -> int:
    """Parameters of the smallest shape of which two students seem good enough."""
    wanted = bar(state.teacher_values, settings.keep_return)
    names: dict[int, set[str]] = {}
    for entry in state.shelf:
        if promising(state, entry) >= wanted:
            names.setdefault(entry.parameters, set()).add(entry.student.name)
    return min((size for size, found in names.items() if len(found) > 1), default=10**9)


def largest_wanted(settings: Settings, state: State) -> float:
    """Parameters beyond which a student is too large to matter."""
    return _OVERSIZE * _good_size(settings, state)


def settled(settings: Settings, state: State) -> bool:
    """Whether several linear students are good enough and one is as good as the teacher: no further round can make the
    result smaller.
    """
    linear = [entry for entry in state.shelf if not entry.student.hidden]
    best = max((promising(state, entry) for entry in linear), default=-np.inf)
    return best >= state.teacher_values.mean() and _good_size(settings, state) == linear[0].parameters


def best_of_each_shape(entries: list[Shelved], newest: list[Shelved]) -> tuple[Shelved, ...]:
    """The best few snapshots of each shape, in order of size; screened ones and the newest stay."""
    kept: list[Shelved] = []
    for key in sorted({_key(entry) for entry in entries}, key=str):
        group = [entry for entry in entries if _key(entry) == key]
        screened = [entry for entry in group if entry.screened.size]
        fresh = sorted((entry for entry in group if not entry.screened.size), key=lambda entry: -entry.visit_mean)
        last = [entry for entry in fresh[_PER_SHAPE:] if any(entry is other for other in newest)]
        kept.extend(screened + fresh[:_PER_SHAPE] + last)
    return tuple(sorted(kept, key=lambda entry: (entry.parameters, -entry.mean)))


def _key(entry: Shelved) -> tuple[Shape, str]:
    return entry.student.hidden, entry.student.activation


def screen_shelf(problem: Problem, settings: Settings, state: State, limit: float) -> State:
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
    known = [entry for entry in state.shelf if entry.screened.size] + again + rest
    left = [entry for entry in state.shelf if not entry.screened.size and entry.parameters > limit]
    shelf = tuple(sorted(known + left, key=lambda entry: (entry.parameters, -entry.mean)))
    moved = replace(moved, shelf=shelf, members=())
    if left and not any(promising(moved, entry) >= wanted for entry in known):
        return screen_shelf(problem, settings, moved, largest_wanted(settings, moved))
    return moved


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
