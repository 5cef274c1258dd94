"""What the agent learns from: states of runs on recorded tables, and what every move is worth there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.config import COSTS
from rlcompress.algorithms.neon.features import FEATURES, RULE, features
from rlcompress.algorithms.neon.recording import KEEPS, Table
from rlcompress.algorithms.neon.rehearsal import Rehearsal
from rlcompress.algorithms.neon.replay import Deal, Episode, other_tests
from rlcompress.algorithms.neon.view import MOVES

TOLERANCES = (0.0, 0.005, 0.01, 0.02, 0.05)
_TOLERANCE_SHARES = (0.1, 0.15, 0.45, 0.15, 0.15)
_KEEP_SHARES = (0.6, 0.08, 0.08, 0.24)
_STRAYS = (0.1, 0.3)
"""Shares of moves at random, run by run in turns: the agent will see states that the rule does not lead to."""


@dataclass(frozen=True)
class Teaching:
    """How lessons are drawn from a table.

    Args:
        episodes: runs.
        splits: choosing rows that runs take in turns.
        tests: deals of the testing rows that each is judged on.
        move_price: what a training of usual length costs, in logarithm of the ratio.
        over_price: what a true drop over the tolerance costs, per unit of score.
        seed: of everything.
    """

    episodes: int = 40
    splits: int = 8
    tests: int = 4
    move_price: float = 0.03
    over_price: float = 50.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Lessons:
    """States of runs.

    Args:
        sights: (states, moves + 1, features) float32, the last row for stopping.
        worths: (states, moves + 1) float32, of each move when the greedy rule plays on; NaN where it is not allowed.
    """

    sights: npt.NDArray[np.float32]
    worths: npt.NDArray[np.float32]

    @property
    def rules(self) -> npt.NDArray[np.int64]:
        """(states,) the greedy rule's move, which the sight tells."""
        return np.asarray(self.sights[:, :, RULE].argmax(1), np.int64)

    def __len__(self) -> int:
        return len(self.sights)


def together(parts: Sequence[Lessons]) -> Lessons:
    """All of them as one."""
    return Lessons(
        np.concatenate([part.sights for part in parts]),
        np.concatenate([part.worths for part in parts]),
    )


def lessons_of(table: Table, teaching: Teaching) -> Lessons:
    """States along runs of the greedy rule with moves at random between, and the worth of every move there.

    Source: rollouts of a base rule, Bertsekas, Tsitsiklis, Wu, "Rollout algorithms for combinatorial optimization",
    1997; each is exact here, because a table knows the end of every run.
    """
    rng = np.random.default_rng((teaching.seed, 73, *table.name.encode()))
    splits = [other_tests(table, teaching.tests, rng) for _ in range(teaching.splits)]
    states = []
    for index in range(teaching.episodes):
        deals = splits[index % len(splits)]
        episode = draw_episode(deals[0], rng)
        rehearsal = Rehearsal(episode, deals, teaching.move_price, teaching.over_price)
        states += _states(rehearsal, _STRAYS[index % len(_STRAYS)], rng)
    return Lessons(
        np.array([sight for sight, _ in states], np.float32).reshape(-1, MOVES + 1, FEATURES),
        np.array([worths for _, worths in states], np.float32).reshape(-1, MOVES + 1),
    )


def draw_episode(deal: Deal, rng: np.random.Generator) -> Episode:
    """A run at a tolerance, a cost, a budget and restrictions drawn at random."""
    usual = rng.random() < 0.8
    tolerance = float(rng.choice(TOLERANCES, p=_TOLERANCE_SHARES)) if usual else float(rng.uniform(0, 0.05))
    keep_depth, keep_inputs = KEEPS[int(rng.choice(len(KEEPS), p=_KEEP_SHARES))]
    limit = float(rng.uniform(1, 8)) if rng.random() < 0.1 else float("inf")
    return Episode(
        deal,
        cost=str(rng.choice(COSTS, p=(0.55, *[0.45 / (len(COSTS) - 1)] * (len(COSTS) - 1)))),
        max_drop=tolerance,
        moves=int(rng.integers(3, 11)),
        keep_depth=keep_depth,
        keep_inputs=keep_inputs,
        target_gain=limit,
    )


def _states(
    rehearsal: Rehearsal, strays: float, rng: np.random.Generator
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Sights and worths along one run."""
    found: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    made: tuple[int, ...] = ()
    while len(made) < rehearsal.episode.moves and (rule := rehearsal.rule(made)) is not None:
        view = rehearsal.view(made)
        worths = np.full(MOVES + 1, np.nan, np.float32)
        free = np.flatnonzero(view.open)
        for move in free:
            worths[move] = rehearsal.worth_of_going_on((*made, int(move)))
        if made:
            worths[MOVES] = rehearsal.worth(made)
        found.append((features(view), worths))
        made = (*made, int(rng.choice(free)) if rng.random() < strays else rule)
    return found
