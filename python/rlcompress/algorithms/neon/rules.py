"""Fixed rules that pick moves: what the agent is compared with, and sees beside its own sight."""

from __future__ import annotations

import numpy as np

from rlcompress.algorithms.neon.choosing import prospects
from rlcompress.algorithms.neon.menu import MENU, Move
from rlcompress.algorithms.neon.view import View
from rlcompress.problem import Float64Array

_LADDER = (
    *(Move("one hidden", 2), Move("two hidden", 2), Move("narrow", 1), Move("one hidden", 3)),
    *(Move("one hidden", 1), Move("shallow", 1), Move("linear", 0), Move("narrow", 2)),
    *(Move("two hidden", 1), Move("narrow", 0), Move("one hidden", 4), Move("narrow", 3)),
)
_PLACE_OF = {(move.arm, move.level): index for index, move in enumerate(MENU)}
LADDER = tuple(MENU.index(move) for move in _LADDER)


def ladder(view: View) -> int | None:
    """The next rung of a fixed order."""
    free = view.open
    return next((move for move in LADDER if free[move]), None)


def greedy(view: View, prospect: Float64Array | None = None) -> int | None:
    """From the arm of the best prospect one level smaller, else one larger, else the next arm at about its size."""
    free = view.open
    if not free.any():
        return None
    prospect = prospects(view.seen, view.chance()) if prospect is None else prospect
    if not view.made or not len(prospect) or prospect.max() <= 0:
        return ladder(view)
    at = int(np.argmax(prospect))
    best = MENU[int(view.move_of[at])]
    for level in (best.level + 1, best.level - 1):
        index = _PLACE_OF.get((best.arm, level))
        if index is not None and free[index]:
            return index
    distance = np.where(free, np.abs(view.facts.highest - view.seen.gains[at]), np.inf)
    return int(np.argmin(distance))


def at_random(view: View, seed: int) -> int | None:
    """Any open move."""
    free = np.flatnonzero(view.open)
    rng = np.random.default_rng((seed, 59, len(view.made)))
    return int(rng.choice(free)) if len(free) else None
