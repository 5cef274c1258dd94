"""Pools of rows: what trains, and what each split judges on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.problem import SPLITS
from rlcompress.tasks.labelled import Pair, Targets
from rlcompress.tasks.row_splits import IndexArray, deal


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows of two arrays.

    Args:
        x, y: arrays that several pools may share.
        rows: their row numbers, in the order of the pool's units.
    """

    x: FloatArray
    y: Targets
    rows: IndexArray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pair(self) -> Pair:
        """(x, y) of the pool alone, copied."""
        return Pair(self.x[self.rows], self.y[self.rows])


Pools = Mapping[str, Pool]
"""By split, and `data` for the rows in none."""


def dealt(given: Pair, test: Pair | None, share: float, seed: int) -> Pools:
    """Pools of all rows; a test set, where there is one, is the pool `final` as it stands.

    Args:
        given: rows to deal.
        test: rows kept apart.
        share: of the given rows that is held out of `data`, 0..1 exclusive.
        seed: of the deal.

    Raises:
        InvalidValueError: so few rows that a pool would be empty.
    """
    held = SPLITS if test is None else SPLITS[:-1]
    pools = {name: Pool(*given, rows) for name, rows in deal(given.y, held, share, seed).items()}
    return pools if test is None else {**pools, "final": Pool(*test, np.arange(len(test.x)))}


def dealt_as(pools: Pools, before: Pools) -> Pools:
    """The pools with the rows that they had before, where targets were only named anew.

    A deal goes by the order of the targets: dealt again, rows that trained a network would come to judge it.
    """
    return {name: replace(pool, rows=before[name].rows) for name, pool in pools.items()}
