"""Families of data sets: sets that share rows or a generator must stay on one side of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.corpus.folder import DataSet
from rlcompress.errors import InvalidValueError

KNOWN_FAMILIES: Mapping[str, str] = {
    "ring": "normal distributions",
    "ringnorm": "normal distributions",
    "twonorm": "normal distributions",
    "dna": "splice junctions",
    "splice": "splice junctions",
    "pendigits": "handwritten digits",
    "optdigits": "handwritten digits",
    "kropt": "king and rook against king",
    "krkopt": "king and rook against king",
    "kr-vs-k": "king and rook against king",
    "2dplanes": "breiman",
    "fried": "friedman",
}
"""Public data sets of which another is a near-duplicate, a recoding, or drawn by the same generator."""

_SHARED_ROWS = 0.05
_SAMPLED_ROWS = 20_000


def family(name: str, known: Mapping[str, str] | None = None) -> str:
    """The family of a data set: that of the mapping, else its own name.

    A number before the name (`215_2dplanes`) is not part of it.

    Args:
        name: of the data set.
        known: name to family; `KNOWN_FAMILIES` unless given.
    """
    known = KNOWN_FAMILIES if known is None else known
    number, _, rest = name.partition("_")
    plain = rest if number.isdigit() and rest else name
    return known.get(name, known.get(plain, plain))


def detect_families(sets: Sequence[DataSet], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Family of every data set, by name: those of the mapping, joined where sets are near-duplicates.

    Two sets are near-duplicates when they have the same number of inputs and the smaller one shares at least 5 % of its
    distinct rows of inputs with the other; rows are compared after sorting each, so that columns may be in any order.
    Small grids of categories share rows by chance: sets are joined only where the inputs tell nearly all rows apart.

    Args:
        sets: to look at.
        known: see `family`.
    """
    found = {entry.name: family(entry.name, known) for entry in sets}
    prints = {entry.name: _row_prints(entry.x) for entry in sets}
    for at, left in enumerate(sets):
        for right in sets[at + 1 :]:
            if left.x[0].size == right.x[0].size and _share_rows(prints[left.name], prints[right.name]):
                old, new = found[right.name], found[left.name]
                found = {name: new if entry == old else entry for name, entry in found.items()}
    return found


def folds(
    names: Sequence[str], families: Mapping[str, str] | None = None, count: int = 6, seed: int = 0
) -> list[tuple[str, ...]]:
    """Sets to hold out, fold by fold: every set once, whole families together, folds of nearly equal size.

    Args:
        names: of the data sets.
        families: of each name, such as from `detect_families`; `family(name)` for those that it lacks.
        count: of folds, 2 or more, at most one per family.
        seed: of the order in which families are dealt.

    Raises:
        InvalidValueError: a name twice, or more folds than families.
    """
    if len(set(names)) != len(names):
        raise InvalidValueError("names: each data set once expected")
    grouped: dict[str, list[str]] = {}
    for name in sorted(names):
        grouped.setdefault((families or {}).get(name, family(name)), []).append(name)
    if not 2 <= count <= len(grouped):
        raise InvalidValueError(f"count: 2 folds at least and {len(grouped)} at most (one per family), found {count}")
    order = list(np.random.default_rng(seed).permutation(sorted(grouped)))
    order.sort(key=lambda name: -len(grouped[name]))
    made: list[list[str]] = [[] for _ in range(count)]
    for name in order:
        min(made, key=len).extend(grouped[name])
    return [tuple(sorted(fold)) for fold in made]


def _row_prints(x: FloatArray) -> tuple[set[bytes], int]:
    """Distinct sorted rows, and how many rows were looked at."""
    rows = np.sort(x.reshape(len(x), -1)[:_SAMPLED_ROWS], axis=1)
    return {row.tobytes() for row in rows}, len(rows)


def _share_rows(left: tuple[set[bytes], int], right: tuple[set[bytes], int]) -> bool:
    distinct = all(len(rows) > 0.8 * count for rows, count in (left, right))
    smaller = min(len(left[0]), len(right[0]))
    return distinct and len(left[0] & right[0]) >= max(2, _SHARED_ROWS * smaller)
