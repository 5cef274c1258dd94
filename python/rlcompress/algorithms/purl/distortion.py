"""Allocation by dynamic programming over measured damage of single layers, added up.

Source: RD_PRUNE (ICCV 2023) finds output distortion nearly additive over layers; SPDY solves such
sums under a budget.
Deviates: damage is the drop of the score itself, measured first from the dense network and then again around the best
plan so far, because additivity fails far from where it was measured; the joint plan is judged for real.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept
from rlcompress.problem import Float64Array

_CELLS = 4000
_FACTORS = (0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 4.0)


def probes(allowed: Allotment, base: Kept, levels: int) -> list[list[Kept]]:
    """Per layer, the plans that change that layer of `base` alone.

    Args:
        allowed: the budget.
        base: the dense plan, or the best so far.
        levels: plans per layer, >= 2.
    """
    dense = base == allowed.ceilings
    found = []
    for layer, size in enumerate(allowed.ceilings):
        floor = allowed.floors[layer]
        if dense:
            lowest = max(floor, round(0.1 * allowed.total / allowed.weights * size))
            counts = np.geomspace(max(1, lowest), size, levels + 1)[:-1]
        else:
            factors = np.geomspace(_FACTORS[0], _FACTORS[-1], levels) if levels > len(_FACTORS) else _around(levels)
            counts = np.asarray(factors) * base[layer]
        whole = sorted({int(np.clip(round(float(count)), floor, size)) for count in counts})
        found.append([(*base[:layer], count, *base[layer + 1 :]) for count in whole if count != base[layer]])
    return found


def _around(levels: int) -> tuple[float, ...]:
    """The factors nearest to 1, as many as asked."""
    order = sorted(_FACTORS, key=lambda factor: abs(np.log(factor)))
    return tuple(sorted(order[: levels + 1]))


def additive_plan(allowed: Allotment, base: Kept, tables: list[list[Kept]], scores: Mapping[Kept, float]) -> Kept:
    """The plan with the least sum of single-layer damages within the budget, filled up to it.

    Args:
        allowed: the budget.
        base: plan around which the tables were measured.
        tables: per layer, plans that differ from `base` in that layer alone.
        scores: of `base` and of all plans of the tables.
    """
    counts, damages = [], []
    for layer, plans in enumerate(tables):
        measured = sorted({(plan[layer], scores[base] - scores[plan]) for plan in plans} | {(base[layer], 0.0)})
        counts.append(np.array([count for count, _ in measured], np.int64))
        damages.append(_monotone(np.array([damage for _, damage in measured])))
    chosen = _least_sum(counts, damages, allowed.total)
    return allowed.project(allowed.logs([int(column[at]) for column, at in zip(counts, chosen)]))


def _monotone(damage: Float64Array) -> Float64Array:
    """Keeping more never hurts: noise upwards is taken out, from the fullest level down."""
    finite = np.where(np.isfinite(damage), damage, np.nanmax(np.where(np.isfinite(damage), damage, 0.0)) + 1.0)
    return np.maximum.accumulate(finite[::-1])[::-1]


def _least_sum(counts: list[np.ndarray], damages: list[Float64Array], total: int) -> list[int]:
    """Level per layer with the least damage in all; weights are counted in cells, rounded up, so the total holds."""
    cell = max(1, total // _CELLS)
    cells = total // cell
    costs = [-(-count // cell) for count in counts]
    best = np.zeros(cells + 1)
    picks: list[np.ndarray] = []
    for cost, damage in zip(costs, damages):
        options = np.full((len(cost), cells + 1), np.inf)
        for level, need in enumerate(cost):
            if need <= cells:
                options[level, need:] = best[: cells + 1 - need] + damage[level]
        picks.append(options.argmin(axis=0))
        best = options.min(axis=0)
    if not np.isfinite(best[-1]):
        return [0] * len(counts)
    chosen, room = [], cells
    for cost, pick in zip(costs[::-1], picks[::-1]):
        level = int(pick[room])
        chosen.append(level)
        room -= int(cost[level])
    return chosen[::-1]
