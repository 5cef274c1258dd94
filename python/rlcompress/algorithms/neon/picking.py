"""Who picks the next move: the agent, or the fixed rules that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.features import FEATURES, features
from rlcompress.algorithms.neon.menu import MENU, Move
from rlcompress.algorithms.neon.view import MOVES, View
from rlcompress.artifact import load
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.runtime import Runtime

Picker = Callable[[View], "int | None"]
SHIPPED = "agent.rlc"
_LADDER = (
    *(Move("one hidden", 2), Move("two hidden", 2), Move("narrow", 1), Move("one hidden", 3)),
    *(Move("one hidden", 1), Move("shallow", 1), Move("linear", 0), Move("narrow", 2)),
    *(Move("two hidden", 1), Move("narrow", 0), Move("one hidden", 4), Move("narrow", 3)),
)
LADDER = tuple(MENU.index(move) for move in _LADDER)


def picker_of(settings: Settings, seed: int) -> Picker:
    """The picker that the settings name; it gives a place in the menu, or None to stop.

    Raises:
        InvalidValueError: a file that holds no agent of this version.
    """
    if settings.mode == "ladder":
        return ladder
    if settings.mode == "greedy":
        return greedy
    if settings.mode == "random":
        return lambda view: at_random(view, seed)
    return AgentPicker(load_agent(settings.agent))


def ladder(view: View) -> int | None:
    """The next rung of a fixed order."""
    free = view.open
    return next((move for move in LADDER if free[move]), None)


def greedy(view: View) -> int | None:
    """From the arm of the best prospect one level smaller, else one larger, else the next arm at about its size."""
    free = view.open
    if not free.any():
        return None
    prospect = view.chance() ** 2 * view.seen.gains
    if not view.made or not len(prospect) or prospect.max() <= 0:
        return ladder(view)
    at = int(np.argmax(prospect))
    best = MENU[int(view.move_of[at])]
    for level in (best.level + 1, best.level - 1):
        index = next((n for n, move in enumerate(MENU) if move.arm == best.arm and move.level == level), None)
        if index is not None and free[index]:
            return index
    distance = np.where(free, np.abs(view.facts.highest - view.seen.gains[at]), np.inf)
    return int(np.argmin(distance))


def at_random(view: View, seed: int) -> int | None:
    """Any open move."""
    free = np.flatnonzero(view.open)
    rng = np.random.default_rng((seed, 59, len(view.made)))
    return int(rng.choice(free)) if len(free) else None


class AgentPicker:
    """The move with the largest output; stopping is one of them."""

    def __init__(self, agent: Network) -> None:
        if agent.contract.input_size != FEATURES or agent.output_size != 1:
            raise InvalidValueError(
                f"agent: {FEATURES} inputs and one output expected, found {agent.contract.input_size} and "
                f"{agent.output_size}; train one with `rlcompress neon-train`"
            )
        self.runtime = Runtime(agent)

    def __call__(self, view: View) -> int | None:
        worth = self.runtime(features(view))[:, 0]
        allowed = np.append(view.open, len(view.made) > 0)
        if not allowed.any():
            return None
        choice = int(np.argmax(np.where(allowed, worth, -np.inf)))
        return None if choice == MOVES else choice


def load_agent(path: str | None) -> Network:
    """The agent of a file, or the shipped one.

    Raises:
        MissingFileError, FormatError: no such file, or no `.rlc` file.
    """
    return _shipped() if path is None else load(Path(path))


@lru_cache(maxsize=1)
def _shipped() -> Network:
    return load(files("rlcompress.algorithms.neon").joinpath(SHIPPED).read_bytes())
