"""The agent's sight: one row of numbers for each move, and one for stopping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.choosing import prospects
from rlcompress.algorithms.neon.menu import ARMS, MENU
from rlcompress.algorithms.neon.rules import LADDER, greedy
from rlcompress.algorithms.neon.view import MOVES, View
from rlcompress.arrays import FloatArray
from rlcompress.problem import Float64Array

_UNIT = 5.0
"""Logarithms of ratios are divided by this."""
_ALIKE, _BAND = 0.2, 0.7
"""Differences of such logarithms: of sizes that count as one, and of the students that tell most of a size."""
_ARM = np.array([[float(move.arm == arm) for arm in ARMS] for move in MENU])
_LEVEL = np.array([move.level / 5 for move in MENU])
_PLACE = np.array([1 - LADDER.index(n) / len(LADDER) if n in LADDER else 0.0 for n in range(MOVES)])
_LARGER, _SMALLER = (
    [[n for n in range(MOVES) if MENU[n].arm == move.arm and (MENU[n].level - move.level) * side > 0][::-side]
     for move in MENU]
    for side in (-1, 1)
)  # fmt: skip
_STOP, RULE, OWN = len(ARMS) + 14, len(ARMS) + 15, len(ARMS) + 16
NEAR = OWN + 24
FEATURES = NEAR + 8
"""Columns of a row; `RULE` is the one that says what the greedy rule would take."""


def features(view: View) -> FloatArray:
    """(moves + 1, `FEATURES`) float32; the last row stands for stopping.

    Logarithms of sizes, never sizes; nothing is scaled by what other networks showed. Each row says as well where the
    fixed ladder has the move and whether the greedy rule would take it.
    """
    chance = view.chance()
    prospect = prospects(view.seen, chance)
    at = int(np.argmax(prospect)) if len(prospect) and prospect.max() > 0 else -1
    best = _best(view, chance, at)
    rows = np.zeros((MOVES + 1, FEATURES))
    own = rows[:MOVES]
    limit = view.wishes.target_gain
    low, high = np.minimum(view.facts.lowest, limit), np.minimum(view.facts.highest, limit)
    arm = len(ARMS)
    own[:, :arm] = _ARM
    own[:, arm] = _LEVEL
    own[:, arm + 1], own[:, arm + 2] = low / _UNIT, high / _UNIT
    own[:, arm + 3], own[:, arm + 4] = (low - best[0]) / _UNIT, (high - best[0]) / _UNIT
    own[:, arm + 5 : arm + 8] = _sides(view, chance, _LARGER)
    own[:, arm + 8 : arm + 11] = _sides(view, chance, _SMALLER)
    if at >= 0:
        own[:, arm + 11] = _ARM @ _ARM[int(view.move_of[at])]
    own[:, arm + 12] = best[0] > np.nan_to_num(high)
    own[:, arm + 13] = _PLACE
    rule = greedy(view, prospect)
    if rule is not None:
        own[rule, RULE] = 1
    rows[MOVES, _STOP] = 1
    rows[:, OWN:NEAR] = _whole(view, best)
    own[:, NEAR:] = _near(view, chance)
    return np.nan_to_num(rows, posinf=3.0, neginf=-3.0).clip(-4, 4).astype(np.float32)


def _best(view: View, chance: Float64Array, at: int) -> tuple[float, float, float]:
    """Gain, chance and drop of the best prospect so far."""
    if at < 0:
        return 0.0, 0.0, 0.0
    return float(view.seen.gains[at]), float(chance[at]), float(view.seen.drops[at])


def _sides(view: View, chance: Float64Array, order: list[list[int]]) -> npt.NDArray[np.float64]:
    """(moves, 3): whether the arm was tried on this side, and there, nearest first, the best chance and least drop."""
    found = np.zeros((MOVES, 3))
    known = {}
    for move in view.made:
        members = view.move_of == move
        if members.any():
            known[move] = 1.0, float(chance[members].max()), _drop(float(view.seen.drops[members].min()))
    if known:
        for index, others in enumerate(order):
            near = next((other for other in others if other in known), None)
            if near is not None:
                found[index] = known[near]
    return found


def _near(view: View, chance: Float64Array) -> npt.NDArray[np.float64]:
    """(moves, 8): of students of any arm as small as the move's or smaller, then of larger ones: whether there are any,
    their best chance, the least drop of those nearest in size, and how far off these are."""
    found = np.zeros((MOVES, 8))
    low, high, gains = view.facts.lowest, view.facts.highest, view.seen.gains
    for move in np.flatnonzero(np.isfinite(high)):
        smaller = gains >= low[move] - _ALIKE
        distance = np.abs(gains - (low[move] + high[move]) / 2)
        for column, side in ((0, smaller), (4, ~smaller)):
            if side.any():
                nearest = float(distance[side].min())
                drop = float(view.seen.drops[side & (distance <= nearest + _BAND)].min())
                found[move, column : column + 4] = 1.0, chance[side].max(), _drop(drop), min(nearest, 15.0) / _UNIT
    return found


def _drop(value: float) -> float:
    """A drop between -1 and 1 with the small ones spread out."""
    return float(np.sign(value) * np.sqrt(min(abs(value), 1.0)))


def _whole(view: View, best: tuple[float, float, float]) -> list[float]:
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
        _drop(wishes.z * float(np.sqrt(0.1 / facts.testing_rows)) - wishes.max_drop),
        min(wishes.target_gain, 15.0) / _UNIT,
        float(wishes.keep_depth),
        float(wishes.keep_inputs),
        made / 8,
        (wishes.moves - made) / 8,
        best[0] / _UNIT,
        best[1],
        _drop(best[2]),
        _drop(float(tried.min())) if len(tried) else 0.0,
        float(len(tried) > 0),
        float(facts.residual_widths[0]) / _UNIT,
        float(facts.residual_widths[2]) / _UNIT,
    ]
