"""Ours: the packed sparse matrix."""

from __future__ import annotations

from timing import Prepared
from work import SparseWork

from peers import public_name


def dot(work: SparseWork) -> Prepared:
    """`matrix.dot(x, out=)`."""
    matrix = public_name("rlcompress", "SparseMatrix")(work.weight, work.mask)
    x, out = work.x, work.out()
    return Prepared(lambda: matrix.dot(x, out=out))
