"""Plans worth judging next, from the journal alone: nothing is hidden, so a killed run goes on as before.

Plans are varied as logarithms of densities and projected onto the budget, so every proposal is feasible.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept
from rlcompress.algorithms.purl.journal import Journal
from rlcompress.problem import Float64Array

FIRST_STEP = 0.5
LAST_STEP = 0.02
_ELITES = 8
_PARENTS = 4
_BLEND_STEP = 0.1
_STRETCH = 1.5
_ATTEMPTS = 30


def random_plans(allowed: Allotment, count: int, rng: np.random.Generator, known: set[Kept]) -> list[Kept]:
    """Plans at the budget with log-uniform densities over two orders of magnitude."""

    def draw(_: float) -> Float64Array:
        return rng.uniform(np.log(0.01), 0.0, allowed.layers)

    return _distinct(allowed, draw, count, known)


def refined_plans(
    journal: Journal, allowed: Allotment, share: float, count: int, rng: np.random.Generator
) -> list[Kept]:
    """Variations of the best plans so far, with steps that shrink as the run goes on.

    A third mixes the best plans (so few evaluations suffice for many layers), a third moves weights from one or two
    layers of one of them to the others, and a third draws around their mean.

    Args:
        journal: plans judged so far, at least one of them within the budget.
        allowed: the budget.
        share: of the search that is done, 0..1.
        count: plans wanted; fewer come where no new plan is near.
        rng: of this generation.
    """
    best = journal.ranking(allowed)[:_ELITES]
    elites = np.stack([allowed.logs(journal.plan(index)) for index in best])
    step = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** share

    def draw(widen: float) -> Float64Array:
        wide, kind = step * widen, int(rng.integers(3))
        if kind == 0 and len(elites) > 1:
            return _blend(elites, 0.3 * wide, rng)
        if kind == 1:
            moved: Float64Array = elites[min(int(rng.geometric(0.5)) - 1, len(elites) - 1)].copy()
            layers = rng.choice(allowed.layers, min(allowed.layers, int(rng.integers(1, 3))), replace=False)
            moved[layers] += 2 * wide * rng.standard_normal(len(layers))
            return moved
        centre = elites[: max(1, len(elites) // 2)].mean(axis=0)
        around: Float64Array = centre + wide * rng.standard_normal(allowed.layers)
        return around

    return _distinct(allowed, draw, count, set(journal.known()))


def blended_plan(journal: Journal, allowed: Allotment, rng: np.random.Generator) -> Kept | None:
    """A new mixture of the best few plans, or None where none is near."""
    best = journal.ranking(allowed)[:_PARENTS]
    if not best:
        return None
    elites = np.stack([allowed.logs(journal.plan(index)) for index in best])

    def draw(widen: float) -> Float64Array:
        return _blend(elites, _BLEND_STEP * widen, rng)

    return next(iter(_distinct(allowed, draw, 1, set(journal.known()))), None)


def _blend(elites: Float64Array, step: float, rng: np.random.Generator) -> Float64Array:
    """A weighted mean of (plans, layers) logarithms, a little outside of them too, and noise."""
    weights = rng.dirichlet(np.ones(len(elites)))
    stretched = _STRETCH * weights - (_STRETCH - 1) / len(elites)
    mixed: Float64Array = stretched @ elites + step * rng.standard_normal(elites.shape[1])
    return mixed


def neighbours(journal: Journal, allowed: Allotment, count: int, reach: int = 2) -> list[Kept]:
    """On the grid: unjudged plans at most `reach` levels away from the best, in one layer or in two; fullest first."""
    best = journal.plan(journal.ranking(allowed)[0])
    places = [levels.index(kept) if kept in levels else -1 for levels, kept in zip(allowed.levels, best)]
    if min(places) < 0:
        return []
    known, found = set(journal.known()), set()
    shifts = [shift for shift in range(-reach, reach + 1) if shift]
    for first in range(allowed.layers):
        for second in range(first, allowed.layers):
            for up in shifts:
                for down in shifts if second != first else (0,):
                    plan = _moved(allowed, best, places, {second: down, first: up})
                    if plan is not None and plan not in known and sum(plan) <= allowed.total:
                        found.add(plan)
    return sorted(found, key=lambda plan: (-sum(plan), plan))[:count]


def _moved(allowed: Allotment, best: Kept, places: list[int], shifts: dict[int, int]) -> Kept | None:
    plan = list(best)
    for layer, shift in shifts.items():
        at = places[layer] + shift
        if not 0 <= at < len(allowed.levels[layer]):
            return None
        plan[layer] = allowed.levels[layer][at]
    return tuple(plan)


def _distinct(allowed: Allotment, draw: Callable[[float], Float64Array], count: int, known: set[Kept]) -> list[Kept]:
    found: list[Kept] = []
    seen = set(known)
    for attempt in range(_ATTEMPTS * count):
        if len(found) == count:
            break
        plan = allowed.project(draw(1.0 + 3.0 * attempt / (_ATTEMPTS * count)))
        if plan not in seen:
            seen.add(plan)
            found.append(plan)
    return found
