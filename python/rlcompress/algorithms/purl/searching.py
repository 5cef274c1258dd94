"""The steps of the search: free starts, damages and their dynamic programme, variations, and what the report needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept, scaled_to
from rlcompress.algorithms.purl.config import Settings
from rlcompress.algorithms.purl.distortion import additive_plan, probes
from rlcompress.algorithms.purl.journal import Journal, empty_journal
from rlcompress.algorithms.purl.judging import Judge
from rlcompress.algorithms.purl.proposals import neighbours, random_plans, refined_plans
from rlcompress.algorithms.purl.state import State
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.errors import EvaluationError

_DAMAGE_SHARE = 0.2
_FEWEST_LEVELS, _MOST_LEVELS = 3, 10
_BATCH = 12
_REACHES, _WIDEST = (2, 4, 8, 22), 120
_PARETO = (0.5, 2.0, 0.25, 4.0, 0.7, 1.4, 8.0, 0.12)


def judged(judge: Judge, state: State, plans: Sequence[Kept], origin: str) -> State:
    """The state with these plans in its journal; those that are there already cost nothing."""
    known = state.journal.known()
    new = [plan for plan in dict.fromkeys(plans) if plan not in known]
    found = judge.scores(new)
    journal = state.journal.with_plans(new, found.values, origin)
    return replace(state, journal=journal, spent=state.spent + found.spent, failure=state.failure or found.failure)


def start(judge: Judge, allowed: Allotment, settings: Settings, emit: Emit) -> State:
    """Judge the dense model and the free allocations.

    Raises:
        EvaluationError: the judge fails on the dense model.
    """
    emit(PhaseStarted("starts", "judging the dense model and free allocations"))
    before = judge.evaluator.spent
    try:
        dense = judge.dense_score()
    except EvaluationError as error:
        raise EvaluationError(f"on the model as given, nothing pruned: {error}") from error
    journal = empty_journal(allowed.layers).with_plans([judge.dense], [dense], "dense")
    state = State("distortion", journal, spent=judge.evaluator.spent - before, notes=_notes(judge, dense))
    if not allowed.feasible:
        closest = allowed.total / allowed.weights
        text = f"sparsity {settings.target_sparsity:g} cannot be reached: grid and min_keep leave"
        state = replace(state, notes=(*state.notes, f"{text} {1 - closest:.6f} at most; the plan is the closest one"))
    for name in settings.starts:
        plan = judge.start(allowed, settings, name)
        state = judged(judge, state, [plan], name)
    return state


def _notes(judge: Judge, dense: float) -> tuple[str, ...]:
    notes = (*judge.prunable.notes, *getattr(judge.evaluator, "notes", ()))
    if dense == 0:
        notes += ("the dense model scores 0: where that is the worst that a score can be, nothing could be lost",)
    return notes


def damage_step(judge: Judge, allowed: Allotment, settings: Settings, state: State, emit: Emit) -> State:
    """Measure damages layer by layer, a batch per call; then judge the plan that they add up to."""
    around = state.phase == "around"
    following = "agent" if around else "around"
    levels = levels_for(allowed, settings)
    if not settings.distortion or levels < _FEWEST_LEVELS:
        return replace(state, phase="agent")
    if around and state.base == 0:
        if not state.journal.ranking(allowed):
            return replace(state, phase="agent")
        state = replace(state, base=state.journal.ranking(allowed)[0])
    base = state.journal.plan(state.base)
    tables = probes(allowed, base, levels)
    known = state.journal.known()
    missing = [plan for table in tables for plan in table if plan not in known]
    emit(Progress(1 - len(missing) / max(1, sum(map(len, tables))), state.phase))
    if missing:
        return judged(judge, state, missing[:_BATCH], "distortion")
    plan = additive_plan(allowed, base, tables, known)
    return replace(judged(judge, state, [plan], "dp"), phase=following)


def levels_for(allowed: Allotment, settings: Settings) -> int:
    """Levels per layer that the share of evaluations for damages allows."""
    return min(_MOST_LEVELS, int(_DAMAGE_SHARE * settings.evaluations / allowed.layers))


def search_step(judge: Judge, allowed: Allotment, settings: Settings, state: State, seed: int, emit: Emit) -> State:
    """One generation."""
    journal = state.journal
    if not state.began:
        emit(PhaseStarted("search", f"varying plans: {settings.search}"))
        state = replace(state, began=journal.count)
    left = settings.evaluations - journal.count
    if settings.search == "none" or left <= 0:
        return replace(state, phase="pareto")
    share = (journal.count - state.began) / max(1, settings.evaluations - state.began)
    emit(Progress(share, "search"))
    rng = np.random.default_rng([seed, state.generation])
    plans = _proposed(journal, allowed, settings, share, min(left, _BATCH), state.generation, rng)
    if not plans:
        return replace(state, phase="pareto")
    origin = "random" if settings.search == "random" else "refined"
    return replace(judged(judge, state, plans, origin), generation=state.generation + 1)


def _proposed(
    journal: Journal,
    allowed: Allotment,
    settings: Settings,
    share: float,
    count: int,
    generation: int,
    rng: np.random.Generator,
) -> list[Kept]:
    known = set(journal.known())
    if settings.search == "random" or not journal.ranking(allowed):
        return random_plans(allowed, count, rng, known)
    refined = refined_plans(journal, allowed, share, count, rng)
    if not allowed.levels:
        return refined
    # On the grid plans repeat: every other generation walks from the best one, and what runs dry gives way.
    near: list[Kept] = []
    for reach in _REACHES:
        if not near and (reach == _REACHES[0] or reach * allowed.layers <= _WIDEST):
            near = neighbours(journal, allowed, count, reach)
    first, second = (near, refined) if generation % 2 else (refined, near)
    return first or second or random_plans(allowed, count, rng, known)


def check_judged(state: State, allowed: Allotment, settings: Settings) -> None:
    """Refuse to go on where the judge failed on all that could be returned.

    Raises:
        EvaluationError: with what the judge said first.
    """
    journal = state.journal
    wanted = journal.within(allowed) if settings.exact else range(1, journal.count)
    failed = [index for index in wanted if journal.scores[index] == float("-inf")]
    if failed and len(failed) == len(wanted):
        raise EvaluationError(
            f"the judge failed on all {len(failed)} plans that could be returned; the first time: {state.failure}"
        )


def pareto_step(judge: Judge, allowed: Allotment, settings: Settings, state: State, emit: Emit) -> State:
    """The best plan's split at other sparsities, and the score as its layers are pruned one after the other."""
    check_judged(state, allowed, settings)
    index = state.journal.best(allowed)
    if index is None:
        return replace(state, phase="final")
    emit(PhaseStarted("pareto", "the plan at other sparsities"))
    best = state.journal.plan(index)
    lowest, highest = sum(allowed.floors), sum(allowed.ceilings)
    totals = {min(highest, max(lowest, round(factor * sum(best)))) for factor in _PARETO[: settings.pareto]}
    logs = allowed.logs(best)
    plans = [
        scaled_to(logs, allowed.sizes, allowed.ceilings, allowed.floors, total)
        for total in sorted(totals, reverse=True)
    ]
    state = judged(judge, state, plans, "pareto")
    path = [(*best[:done], *allowed.ceilings[done:]) for done in range(1, allowed.layers)]
    return replace(judged(judge, state, path, "path"), phase="final")
