"""MKL's inspector-executor, called through ctypes with a handle that is optimised in advance."""

from __future__ import annotations

import ctypes
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np
from timing import MissingError, Prepared
from work import SparseWork, aligned

_NO_TRANSPOSE, _GENERAL, _ROW_MAJOR, _ZERO_BASED = 10, 20, 101, 0
_MANY_CALLS = 100_000


class _Description(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diagonal", ctypes.c_int)]


def inspector(work: SparseWork) -> Prepared:
    """`mkl_sparse_s_mm`, or `mkl_sparse_s_mv` for one column."""
    mkl = _load()
    rows, columns = np.nonzero(work.mask)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=work.n))]).astype(np.int32)
    indices, values = aligned(columns.astype(np.int32)), aligned(work.weight[work.mask])
    x, out, handle, plain = work.x, work.out(), ctypes.c_void_p(), _Description(_GENERAL, 0, 0)
    n, count = ctypes.c_int(work.n), ctypes.c_int(work.columns)
    at = [ctypes.c_void_p(array.ctypes.data) for array in (starts, starts[1:], indices, values)]
    _run(mkl.mkl_sparse_s_create_csr, ctypes.byref(handle), _ZERO_BASED, n, n, *at)
    x_at, out_at = ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data)
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    if work.columns == 1:
        _run(mkl.mkl_sparse_set_mv_hint, handle, _NO_TRANSPOSE, plain, _MANY_CALLS)
        function, arguments = mkl.mkl_sparse_s_mv, (_NO_TRANSPOSE, one, handle, plain, x_at, zero, out_at)
    else:
        _run(mkl.mkl_sparse_set_mm_hint, handle, _NO_TRANSPOSE, plain, _ROW_MAJOR, count, _MANY_CALLS)
        function = mkl.mkl_sparse_s_mm
        arguments = (_NO_TRANSPOSE, one, handle, plain, _ROW_MAJOR, x_at, count, count, zero, out_at, count)
    _run(mkl.mkl_sparse_optimize, handle)
    operands = (starts, indices, values, x)  # MKL keeps their addresses

    def call() -> int:
        return int(function(*arguments))

    return Prepared(call, lambda: out if operands else None)


def _load() -> Any:
    try:
        version = importlib.metadata.version("mkl").partition(".")[0]
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingError(f"mkl is missing ({error})") from None
    found = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
    if not found:
        raise MissingError(f"mkl {version} has no libmkl_rt.so in {sys.prefix}/lib")
    mkl = ctypes.CDLL(str(found[-1]))
    mkl.MKL_Set_Threading_Layer(1)  # sequential
    return mkl


def _run(function: Any, *arguments: Any) -> None:
    status = function(*arguments)
    if status != 0:
        raise MissingError(f"{function.__name__} gave status {status}")
