"""What a picker of moves sees: facts of the problem, moves that are open, and how the students so far did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.certify import Even, z_of_balanced
from rlcompress.algorithms.neon.choosing import Seen, chances, even_chances
from rlcompress.algorithms.neon.menu import MENU
from rlcompress.problem import Float64Array

MOVES = len(MENU)


@dataclass(frozen=True, eq=False)
class Facts:
    """A problem as numbers, the same from the first move to the last.

    Args:
        parameters, depth, inputs, outputs: of the teacher; depth counts hidden layers.
        learning_rows, choosing_rows, testing_rows: how many there are.
        score, base_rate: of the teacher on the choosing rows, and of the largest class; for values R2 and 0.
        residual_widths: (4,) logarithm of teacher's parameters over those of `narrow` at the level's first residual.
        lowest, highest: (moves,) logarithm of the ratio of the largest and the smallest student of each move;
            NaN where a move has none.
    """

    parameters: int
    depth: int
    inputs: int
    outputs: int
    learning_rows: int
    choosing_rows: int
    testing_rows: int
    score: float
    base_rate: float
    residual_widths: Float64Array
    lowest: Float64Array
    highest: Float64Array


@dataclass(frozen=True, eq=False)
class Wishes:
    """What the user asked for.

    Args:
        max_drop: tolerance.
        z: of the acceptance test.
        moves: trainings at most.
        target_gain: logarithm of the ratio that is enough; infinity for as small as can be.
        keep_depth, keep_inputs, balanced: as in the settings.
    """

    max_drop: float
    z: float
    moves: int
    target_gain: float
    keep_depth: bool
    keep_inputs: bool
    balanced: Even


@dataclass(frozen=True, eq=False)
class View:
    """A run between two moves.

    Args:
        facts, wishes: of the problem and the user.
        made: moves made, in order.
        move_of: (candidates,) int64, the move of each student.
        seen: the students on the choosing rows.
    """

    facts: Facts
    wishes: Wishes
    made: tuple[int, ...]
    move_of: npt.NDArray[np.int64]
    seen: Seen

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """(moves,) that have students and were not made."""
        free = np.isfinite(self.facts.highest)
        free[list(self.made)] = False
        return free

    def chance(self) -> Float64Array:
        """(candidates,) probability of passing the test."""
        wishes, rows = self.wishes, (self.facts.choosing_rows, self.facts.testing_rows)
        found = chances(self.seen, *rows, wishes.max_drop, wishes.z)
        z = z_of_balanced(wishes.balanced, wishes.z)
        return found if z is None else np.minimum(found, even_chances(self.seen, *rows, wishes.max_drop, z))
