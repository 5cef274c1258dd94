"""Deals rows into disjoint pools, each with its share of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlcompress.errors import InvalidValueError
from rlcompress.tasks.labelled import Targets

_ENOUGH = 2  # rows in each pool, so that no deal leaves one empty
IndexArray = npt.NDArray[np.int64]


def deal(y: Targets, held: Sequence[str], share: float, seed: int) -> dict[str, IndexArray]:
    """Row numbers of the pool `data` and of each pool in `held`, in random order.

    Args:
        y: (rows, ...) class indices or values; rows alike are spread over all pools.
        held: names of the pools that share the held-out rows in equal parts.
        share: of all rows that is held out, 0..1 exclusive.
        seed: of the deal.

    Raises:
        InvalidValueError: so few rows that a pool would be empty.
    """
    rng = np.random.default_rng(seed)
    key = y if y.ndim == 1 else y.mean(axis=1)
    shuffled = rng.permutation(len(y))
    in_order = shuffled[np.argsort(key[shuffled], kind="stable")]
    # Rows alike stand side by side; every run of them is cut in the same shares, because the deal goes round.
    turns = (np.arange(len(y)) + rng.random()) * ((5**0.5 - 1) / 2) % 1.0
    edges = share * np.arange(1, len(held) + 1) / len(held)
    pool_of = np.searchsorted(edges, turns, side="right")
    pools = {name: rng.permutation(in_order[pool_of == index]) for index, name in enumerate(held)}
    pools["data"] = rng.permutation(in_order[pool_of == len(held)])
    empty = [name for name, rows in pools.items() if len(rows) == 0]
    if empty:
        enough = max(_ENOUGH * round(len(held) / share), round(_ENOUGH / (1 - share)))
        raise InvalidValueError(
            f"{len(y)} rows are too few: none is left for {', '.join(empty)}; give at least {enough}, or another share "
            f"than {share} for validation"
        )
    return pools
