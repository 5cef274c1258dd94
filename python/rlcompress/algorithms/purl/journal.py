"""Every plan that a run has judged, in order. The journal is the run: replaying it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, CountArray, Kept
from rlcompress.problem import Float64Array

ORIGINS = (
    *("dense", "uniform", "erk", "global", "lamp", "given"),
    *("distortion", "dp", "refined", "random", "agent", "pareto", "path", "blended"),
)
"""Where a plan came from."""


@dataclass(frozen=True, eq=False)
class Journal:
    """Plans and scores.

    Args:
        kept: (plans, layers) int64 weights kept.
        scores: (plans,) float64; -inf where judging failed.
        origins: (plans,) int64 indices into `ORIGINS`.
    """

    kept: CountArray
    scores: Float64Array = field(default_factory=lambda: np.zeros(0))
    origins: CountArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def count(self) -> int:
        return len(self.scores)

    def plan(self, index: int) -> Kept:
        """Weights kept per layer of the plan at this place."""
        return tuple(int(count) for count in self.kept[index])

    def origin(self, index: int) -> str:
        """Where the plan at this place came from."""
        return ORIGINS[int(self.origins[index])]

    def known(self) -> dict[Kept, float]:
        """Score by plan."""
        return {self.plan(index): float(score) for index, score in enumerate(self.scores)}

    def of(self, *origins: str) -> list[int]:
        """Places of the plans of these origins, in order."""
        wanted = {ORIGINS.index(origin) for origin in origins}
        return [index for index, origin in enumerate(self.origins) if int(origin) in wanted]

    def with_plans(self, plans: Sequence[Kept], scores: Sequence[float], origin: str) -> Journal:
        """The journal with these plans at its end."""
        if not plans:
            return self
        kept = np.concatenate([self.kept, np.asarray(plans, np.int64)])
        codes = np.full(len(plans), ORIGINS.index(origin), np.int64)
        return Journal(kept, np.concatenate([self.scores, np.asarray(scores)]), np.concatenate([self.origins, codes]))

    def within(self, allowed: Allotment) -> list[int]:
        """Places of the plans within the total, in order."""
        return [int(index) for index in np.flatnonzero(self.kept.sum(axis=1) <= allowed.total)]

    def ranking(self, allowed: Allotment) -> list[int]:
        """Places of judged plans within the total: highest score first, then fewest weights, then first judged."""
        totals = self.kept.sum(axis=1)
        meets = np.flatnonzero((totals <= allowed.total) & np.isfinite(self.scores))
        order = np.lexsort((meets, totals[meets], -self.scores[meets]))
        return [int(index) for index in meets[order]]

    def best(self, allowed: Allotment) -> int | None:
        """Place of the plan within the total to return, or None: the highest score, then most weights, then the first.

        Weights that the budget has room for do no harm, and often good on rows that nobody judged.
        """
        ranking = self.ranking(allowed)
        return min(ranking, key=lambda at: (-self.scores[at], -int(self.kept[at].sum()), at), default=None)

    def front(self) -> list[int]:
        """Places of the plans that none beats in both sparsity and score, sparsest last."""
        totals = self.kept.sum(axis=1)
        found: list[int] = []
        for index in np.lexsort((-self.scores, totals)):  # fewest weights first
            if np.isfinite(self.scores[index]) and (not found or self.scores[index] > self.scores[found[-1]]):
                found.append(int(index))
        return found[::-1]


def empty_journal(layers: int) -> Journal:
    """A journal without plans."""
    return Journal(np.zeros((0, layers), np.int64))
