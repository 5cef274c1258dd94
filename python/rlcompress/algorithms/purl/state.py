"""The state of a PuRL run: the journal and where the run is. Values only, so that a checkpoint is the run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rlcompress.algorithms.purl.allotment import CountArray
from rlcompress.algorithms.purl.journal import Journal
from rlcompress.problem import Float64Array


@dataclass(frozen=True, eq=False)
class Figure:
    """Scores of a plan on the final split.

    Args:
        name: `teacher`, `best`, or the baseline's.
        index: place of the plan in the journal.
        values: (units,) float64.
    """

    name: str
    index: int
    values: Float64Array


@dataclass(frozen=True, eq=False)
class State:
    """Everything between two steps.

    Args:
        phase: `starts`, `distortion`, `around`, `agent`, `search`, `pareto`, `final` or `done`.
        journal: plans judged so far; the dense one is the first.
        base: place in the journal of the plan around which damages are being measured.
        generation: of the search.
        began: plans in the journal when the search began.
        episodes: of the agent so far.
        rollouts: (episodes, layers) int64 plans that the agent proposed, before projection onto the budget.
        returns: (episodes,) float64 sums of rewards.
        spent: network evaluations over all sessions, as the evaluators counted them.
        figures: on the final split.
        notes: for the user.
        failure: what the judge said where it first failed, or empty.
    """

    phase: str
    journal: Journal
    base: int = 0
    generation: int = 0
    began: int = 0
    episodes: int = 0
    rollouts: CountArray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    returns: Float64Array = field(default_factory=lambda: np.zeros(0))
    spent: float = 0.0
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""
