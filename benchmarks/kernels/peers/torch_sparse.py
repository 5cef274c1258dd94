"""torch: compressed rows, and the dense product that ignores the zeros."""

from __future__ import annotations

from timing import Prepared
from work import SparseWork

from peers import library


def csr(work: SparseWork) -> Prepared:
    torch = library("torch")
    torch.set_num_threads(1)
    matrix, x = torch.from_numpy(work.weight).to_sparse_csr(), torch.from_numpy(work.x)
    return Prepared(lambda: matrix @ x)


def dense(work: SparseWork) -> Prepared:
    torch = library("torch")
    torch.set_num_threads(1)
    matrix, x = torch.from_numpy(work.weight), torch.from_numpy(work.x)
    out = torch.from_numpy(work.out())
    return Prepared(lambda: torch.matmul(matrix, x, out=out))
