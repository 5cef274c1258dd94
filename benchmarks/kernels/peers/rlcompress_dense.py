"""Ours: networks run by `Runtime`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from timing import Prepared, inlined
from work import DenseWork

from peers import public_name
from rlcompress import kernels
from rlcompress.network import Network
from rlcompress.runtime import Runtime


def float32(work: DenseWork) -> Prepared:
    """`runtime(x, out)`."""
    return _prepared(work, work.network)


def integer(work: DenseWork) -> Prepared:
    """float32 in and out, integers in between."""
    return _prepared(work, public_name("rlcompress", "quantise_static")(work.network, work.calibration))


def forced(target: str) -> Callable[[DenseWork], Prepared]:
    """float32 on another target; switching is outside the timed calls."""

    def prepare(work: DenseWork) -> Prepared:
        best, prepared = kernels.active_target(), float32(work)

        def on_target() -> None:
            kernels.force_target(target)

        return replace(prepared, before=on_target, after=lambda: kernels.force_target(best))

    return prepare


def _prepared(work: DenseWork, network: Network) -> Prepared:
    runtime = Runtime(network)
    x = work.x[0] if work.batch == 1 else work.x
    out = np.empty((*x.shape[:-1], network.output_size), np.float32)
    return inlined(["runtime(x, out)"], {"runtime": runtime, "x": x, "out": out}, [one[0] for one in work.turns])
