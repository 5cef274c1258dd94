"""SciPy's CSR."""

from __future__ import annotations

from timing import Prepared
from work import SparseWork, aligned

from peers import library


def csr(work: SparseWork) -> Prepared:
    matrix, x = library("scipy.sparse").csr_array(work.weight), work.x
    matrix.data, matrix.indices = aligned(matrix.data), aligned(matrix.indices)
    return Prepared(lambda: matrix @ x)
