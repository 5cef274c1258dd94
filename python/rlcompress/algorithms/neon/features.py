"""The agent's sight: one row of numbers for each move, and one for stopping."""

from __future__ import annotations

import numpy as np

from rlcompress.algorithms.neon.menu import ARMS, MENU
from rlcompress.algorithms.neon.view import MOVES, View
from rlcompress.arrays import FloatArray
from rlcompress.problem import Float64Array

_LEVELS = 5
_UNIT = 5.0
"""Logarithms of ratios are divided by this."""
OWN, GLOBAL = len(ARMS) + 14, 24
FEATURES = OWN + GLOBAL


def features(view: View) -> FloatArray:
    """(moves + 1, `FEATURES`) float32; the last row stands for stopping.

    Logarithms of sizes, never sizes; nothing is scaled by what other networks showed.
    """
    chance = view.chance()
    rows = np.zeros((MOVES + 1, FEATURES))
    best = _Best(view, chance)
    neighbours = _by_move(view, chance)
    for index, move in enumerate(MENU):
        row = rows[index]
        row[ARMS.index(move.arm)] = 1
        row[len(ARMS) : OWN] = _own(view, index, best, neighbours)
    rows[MOVES, OWN - 1] = 1
    rows[:, OWN:] = _whole(view, best)
    return np.nan_to_num(rows, posinf=3.0, neginf=-3.0).clip(-4, 4).astype(np.float32)


class _Best:
    """The best prospect so far."""

    def __init__(self, view: View, chance: Float64Array) -> None:
        prospect = chance**2 * view.seen.gains
        self.found = bool(len(chance)) and float(prospect.max(initial=0.0)) > 0
        at = int(np.argmax(prospect)) if self.found else 0
        self.gain = float(view.seen.gains[at]) if self.found else 0.0
        self.chance = float(chance[at]) if self.found else 0.0
        self.drop = float(view.seen.drops[at]) if self.found else 0.0
        self.move = int(view.move_of[at]) if self.found else -1


def _by_move(view: View, chance: Float64Array) -> Float64Array:
    """(moves, 3): best chance, best prospect and least drop of each move that was made; NaN for the others."""
    found = np.full((MOVES, 3), np.nan)
    for move in set(view.made):
        at = view.move_of == move
        if at.any():
            prospect = chance[at] ** 2 * view.seen.gains[at]
            found[move] = chance[at].max(), prospect.max() / _UNIT, view.seen.drops[at].min()
    return found


def _own(view: View, index: int, best: _Best, neighbours: Float64Array) -> list[float]:
    move, facts = MENU[index], view.facts
    limit = view.wishes.target_gain
    low, high = min(facts.lowest[index], limit), min(facts.highest[index], limit)
    larger = [n for n in range(MOVES) if MENU[n].arm == move.arm and MENU[n].level < move.level and n in view.made]
    smaller = [n for n in range(MOVES) if MENU[n].arm == move.arm and MENU[n].level > move.level and n in view.made]
    near = [neighbours[larger[-1]] if larger else None, neighbours[smaller[0]] if smaller else None]
    found = [move.level / _LEVELS, low / _UNIT, high / _UNIT, (low - best.gain) / _UNIT, (high - best.gain) / _UNIT]
    for side in near:
        known = side is not None and np.isfinite(side[0])
        found += [float(known), *((side[0], _drop(side[2])) if known and side is not None else (0.0, 0.0))]
    found += [float(best.move >= 0 and MENU[best.move].arm == move.arm), float(best.gain > high)]
    return [*found, 0.0]


def _drop(value: float) -> float:
    """A drop between -1 and 1 with the small ones spread out."""
    return float(np.sign(value) * np.sqrt(min(abs(value), 1.0)))


def _whole(view: View, best: _Best) -> list[float]:
    facts, wishes, made = view.facts, view.wishes, len(view.made)
    tried = view.seen.drops
    return [
        np.log10(facts.parameters) / 6,
        facts.depth / 6,
        np.log10(facts.inputs) / 2,
        np.log10(facts.outputs),
        np.log10(facts.learning_rows) / 4,
        np.log10(facts.choosing_rows) / 3,
        np.log10(facts.testing_rows) / 3,
        facts.score,
        facts.base_rate,
        facts.score - facts.base_rate,
        _drop(wishes.max_drop),
        _drop(wishes.z * np.sqrt(0.1 / facts.testing_rows) - wishes.max_drop),
        min(wishes.target_gain, 15.0) / _UNIT,
        float(wishes.keep_depth),
        float(wishes.keep_inputs),
        made / 8,
        (wishes.moves - made) / 8,
        best.gain / _UNIT,
        best.chance,
        _drop(best.drop),
        _drop(float(tried.min())) if len(tried) else 0.0,
        float(len(tried) > 0),
        float(facts.residual_widths[0]) / _UNIT,
        float(facts.residual_widths[2]) / _UNIT,
    ]
