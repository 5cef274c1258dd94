"""One run played to many ends: what each set of moves shows, is worth, and leads to when a rule plays on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rlcompress.algorithms.neon.replay import Deal, Episode
from rlcompress.algorithms.neon.rules import greedy
from rlcompress.algorithms.neon.view import View

TELLING_ROWS = 200
"""Rows outside all choices from which a true drop is judged."""


class Rehearsal:
    """A run whose every set of moves is looked at once and remembered.

    What is worth something is judged on several deals of the testing rows. What a picker sees is the same in all of
    them, because they share the choosing rows.
    """

    def __init__(self, episode: Episode, deals: Sequence[Deal], move_price: float, over_price: float) -> None:
        self.episode, self.move_price, self.over_price = episode, move_price, over_price
        self.dealt = [replace(episode, deal=one) for one in deals]
        self._views: dict[tuple[int, ...], View] = {}
        self._rules: dict[tuple[int, ...], int | None] = {}
        self._worths: dict[tuple[int, ...], float] = {}

    def view(self, made: tuple[int, ...]) -> View:
        """What a picker sees after these moves."""
        moves = tuple(sorted(made))
        if moves not in self._views:
            self._views[moves] = self.episode.view(moves)
        return self._views[moves]

    def rule(self, made: tuple[int, ...]) -> int | None:
        """What the greedy rule does next."""
        moves = tuple(sorted(made))
        if moves not in self._rules:
            self._rules[moves] = greedy(self.view(moves))
        return self._rules[moves]

    def worth(self, made: tuple[int, ...]) -> float:
        """Logarithm of the certified ratio, less the price of trainings, by length, and of a drop truly over."""
        moves = tuple(sorted(made))
        if moves not in self._worths:
            students, chain = self.episode.plan(moves)
            ends = [self._end(one, one.tested(students, chain)) for one in self.dealt]
            trainings = float(self.episode.lengths[list(moves)].sum())
            self._worths[moves] = float(np.mean(ends)) - self.move_price * trainings
        return self._worths[moves]

    def _end(self, episode: Episode, best: int | None) -> float:
        over = 0.0
        if best is not None and episode.deal.true_rows >= TELLING_ROWS:
            over = max(0.0, float(episode.deal.true_drop[best]) - episode.max_drop)
        return episode.gain(best) - self.over_price * over

    def worth_of_going_on(self, made: tuple[int, ...]) -> float:
        """What it is worth after the greedy rule made all moves that are left."""
        while len(made) < self.episode.moves and (move := self.rule(made)) is not None:
            made = (*made, move)
        return self.worth(made)
