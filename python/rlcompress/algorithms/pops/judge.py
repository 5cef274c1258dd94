"""The acceptance test: a bound on the mean return over held-out episodes, whose number follows the spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlcompress.algorithms.pops.config import Settings
from rlcompress.algorithms.pops.state import State, Trial
from rlcompress.artifact import weights_bytes
from rlcompress.engine.events import CandidateScored, Emit
from rlcompress.errors import UnsupportedError
from rlcompress.network import Network
from rlcompress.problem import Float64Array, Problem
from rlcompress.statistics import bootstrap_interval, episodes_needed, level_affordable, paired_interval
from rlcompress.training.distil import Student

_FIRST_LEVEL = 0.98
"""Of the first test: stricter than the 95 % of the final figures.

Several candidates are tested, and the winner must hold on fresh episodes.
"""
_SECOND_LEVELS = (0.95, 0.998)
"""Of the second test: as strict as lets a network as good as the teacher pass nine times in ten."""


_SECOND_BLOCK = 1_000_000
_AGAIN = 4
"""Second block of an acceptance test, in lengths of the first."""
_FIRST_LOOK = 25
_PILOT = 100
"""Episodes, far from all others, whose spread says how many a test needs."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of a test.

    Args:
        rule: `unpaired`: lower bound of the mean against the bar; `paired`: lower bound of the mean difference to the
            teacher on the same seeds against minus the allowance, used where the teacher itself could not pass the
            unpaired test.
        lower, upper: interval of what the rule bounds.
        accepted: lower bound at or above what the rule asks.
        reason: in words.
    """

    rule: str
    lower: float
    upper: float
    accepted: bool
    reason: str


def pilot(problem: Problem) -> Float64Array:
    """The teacher's returns on episodes of no other use, after a look whether it fits the task.

    Raises:
        UnsupportedError: the task has a limited number of units, so it judges on rows of data.
        InvalidValueError: the teacher does not fit the task.
    """
    task = problem.task
    if task.count("accept") is not None:
        raise UnsupportedError(
            f"task {task.name}: PoPS compresses policies, judged on episodes without end; for rows of data use NEON "
            "or PuRL"
        )
    task.check(problem.teacher)
    return task.score(problem.teacher, "screen", _SECOND_BLOCK - _PILOT, _PILOT).values


def allowance(teacher: Float64Array, keep: float) -> float:
    """How far below the teacher's mean a student may be: (1 - keep) of its size (also for negative returns)."""
    return (1 - keep) * abs(float(teacher.mean()))


def bar(teacher: Float64Array, keep: float) -> float:
    """The mean return to reach."""
    return float(teacher.mean()) - allowance(teacher, keep)


def episodes_for(pilot: Float64Array, settings: Settings, student: Float64Array | None = None) -> int:
    """Episodes that tell a student as good as the teacher from one at the bar with 90 % power, within the
    settings' limits.

    Args:
        pilot: returns of the teacher.
        settings: limits and the share to keep.
        student: returns of the student, whose spread may be another than the teacher's; None for the same spread.
    """
    margin = allowance(pilot, settings.keep_return)
    std = float(np.std(pilot if student is None else student, ddof=1))
    needed = episodes_needed(std, margin, level=_FIRST_LEVEL) if std > 0 and margin > 0 else 0
    return int(np.clip(needed, settings.min_episodes, settings.max_episodes))


def final_episodes(state: State) -> int:
    """Episodes of the final figures: the most that an accepted candidate needed, by its own spread."""
    return max(
        state.teacher_values.size, *(trial.values.size - state.teacher_values.size for trial in accepted(state)), 0
    )


def judge(
    student: Float64Array, teacher: Float64Array, keep: float, level: float = 0.95, paired: bool | None = None
) -> Verdict:
    """Test a student's returns against the teacher's on the same seeds, with two-sided intervals of `level`.

    `paired` names the rule; None lets the teacher's own returns decide.
    """
    wanted, margin = bar(teacher, keep), allowance(teacher, keep)
    if not (is_paired(teacher, keep) if paired is None else paired):
        lower, upper = bootstrap_interval(student, level)
        accepted = lower >= wanted
        reason = f"lower bound {lower:.2f} {'>=' if accepted else '<'} bar {wanted:.2f}, {student.size} episodes"
        return Verdict("unpaired", lower, upper, accepted, reason)
    lower, upper = paired_interval(student, teacher, level)
    accepted = lower >= -margin
    sign = ">=" if accepted else "<"
    reason = f"paired: lower bound of the difference {lower:+.2f} {sign} {-margin:+.2f}, {student.size} episodes"
    return Verdict("paired", lower, upper, accepted, reason)


def is_paired(teacher: Float64Array, keep: float) -> bool:
    """Whether the teacher itself could not pass the unpaired test."""
    return bootstrap_interval(teacher)[0] < bar(teacher, keep)


def corrected(values: Float64Array, teacher: Float64Array, known: Float64Array) -> Float64Array:
    """Returns of a student on a few units, corrected for how easy those units are for the teacher.

    The teacher's returns on the same units are a control variate, so units that tell nothing correct nothing.

    Args:
        values: (n,) of the student.
        teacher: (n,) on the same units.
        known: many returns of the teacher, for its true mean.
    """
    variance = float(teacher.var())
    slope = float(np.mean((values - values.mean()) * (teacher - teacher.mean()))) / variance if variance > 0 else 0.0
    return np.asarray(values - float(np.clip(slope, 0, 1)) * (teacher - known.mean()))


def screen(
    problem: Problem, settings: Settings, state: State, networks: Sequence[Network], count: int
) -> tuple[State, list[Float64Array]]:
    """Returns on the next `count` screen units; corrected where the acceptance test will be a paired one.

    Unpaired, a network that earns the same in each of the first units is not asked for more: those tell nothing new.
    """
    if not networks:
        return state, []
    start, task = state.screened_to, problem.task
    moved = replace(state, screened_to=start + count)
    if is_paired(state.teacher_values, settings.keep_return):
        judged = task.score_many([*networks, problem.teacher], "screen", start, count)
        *scores, teacher = (score.values for score in judged)
        return moved, [corrected(values, teacher, state.teacher_values) for values in scores]
    first = min(count, max(_FIRST_LOOK, count // 4))
    looks = [score.values for score in task.score_many(networks, "screen", start, first)]
    uneven = [index for index, values in enumerate(looks) if values.std() > 0 and count > first]
    rest = task.score_many([networks[index] for index in uneven], "screen", start + first, count - first)
    for index, score in zip(uneven, rest):
        looks[index] = np.concatenate([looks[index], score.values])
    return moved, looks


def try_candidate(
    problem: Problem,
    settings: Settings,
    state: State,
    emit: Emit,
    network: Network,
    name: str,
    method: str,
    student: Student | None = None,
) -> State:
    """Take a candidate through the acceptance test.

    An unpaired test takes fresh episodes for each candidate and the teacher's mean as known; a paired one takes the
    episodes that the teacher was scored on. What passes is tested once more on a second block of episodes, and both
    must pass: among many candidates some pass one test by luck. Where a candidate's returns differ at all the second
    block is longer, because a few episodes do not show failures that are rare, nor what the teacher's mean is.
    """
    teacher = state.teacher_values
    paired = is_paired(teacher, settings.keep_return)
    start = 0 if paired else (1 + len(state.trials)) * settings.max_episodes
    values = problem.task.score(network, "accept", start, teacher.size).values
    verdict = judge(values, teacher, settings.keep_return, _FIRST_LEVEL)
    if verdict.accepted:
        longer = min(_AGAIN * teacher.size, settings.max_episodes) if values.std() > 0 else 0
        count = max(teacher.size, episodes_for(teacher, settings, values), longer)
        block = (start + _SECOND_BLOCK, count)
        state, again, repeated = _judge_again(problem, settings, state, network, block, paired)
        values = np.concatenate([values, again])
        verdict = replace(repeated, reason=f"{verdict.reason}; again: {repeated.reason}")
    trial = Trial(
        name=name,
        method=method,
        network=network,
        weights_bytes=weights_bytes(network),
        uses_reward=method.startswith("polished"),
        rule=verdict.rule,
        values=values,
        lower=verdict.lower,
        upper=verdict.upper,
        accepted=verdict.accepted,
        reason=verdict.reason,
        final=np.zeros(0),
        student=student,
    )
    lower, upper = bootstrap_interval(values)
    emit(
        CandidateScored(
            name,
            network.parameter_count,
            trial.weights_bytes,
            float(values.mean()),
            lower,
            upper,
            verdict.accepted,
            verdict.reason,
        )
    )
    return replace(state, trials=(*state.trials, trial))


def _judge_again(
    problem: Problem, settings: Settings, state: State, network: Network, block: tuple[int, int], paired: bool
) -> tuple[State, Float64Array, Verdict]:
    """The same test on other episodes (first, number), and with the teacher's mean known better, from as many more."""
    start, count = block
    values = problem.task.score(network, "accept", start, count).values
    keep = settings.keep_return
    if paired or state.teacher_values.std() > 0:
        state = _teacher_known_on(problem, state, count)
    if paired:
        teacher = state.teacher_again[:count]
        level = _second_level(values - teacher, teacher, keep)
        return state, values, judge(values, teacher, keep, level, paired=True)
    teacher = np.concatenate([state.teacher_values, state.teacher_again])
    return state, values, judge(values, teacher, keep, _second_level(values, teacher, keep), paired=False)


def _second_level(values: Float64Array, teacher: Float64Array, keep: float) -> float:
    """As strict as the number of episodes affords: the winner is one of many, and its lower bound must hold again."""
    std, margin = float(values.std()), allowance(teacher, keep)
    affordable = level_affordable(std, margin, values.size) if std > 0 and margin > 0 else 0.0
    return float(np.clip(affordable, *_SECOND_LEVELS))


def _teacher_known_on(problem: Problem, state: State, count: int) -> State:
    """The state with the teacher's returns on the first `count` episodes of the second block."""
    known = state.teacher_again
    if known.size >= count:
        return state
    more = problem.task.score(problem.teacher, "accept", _SECOND_BLOCK + known.size, count - known.size).values
    return replace(state, teacher_again=np.concatenate([known, more]))


def accepted(state: State, uses_reward: bool | None = None) -> list[Trial]:
    """Accepted trials, smallest first by bytes."""
    found = [
        trial for trial in state.trials if trial.accepted and (uses_reward is None or trial.uses_reward == uses_reward)
    ]
    return sorted(found, key=lambda trial: (trial.weights_bytes, trial.network.parameter_count))
