"""Who picks the next move: the agent, or the fixed rules that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.features import FEATURES, features
from rlcompress.algorithms.neon.rules import at_random, greedy, ladder
from rlcompress.algorithms.neon.view import MOVES, View
from rlcompress.artifact import load
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.runtime import Runtime

Picker = Callable[[View], "int | None"]
SHIPPED = "agent.rlc"


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
