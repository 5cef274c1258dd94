"""Microseconds of one call, measured."""

from __future__ import annotations

import time
from collections.abc import Callable


def call_latency_us(call: Callable[[], object], batches: int = 15, batch_seconds: float = 2e-3) -> float:
    """Median over batches of the mean time of one call.

    Args:
        call: what to time; called some hundred times.
        batches: timed batches, after one to warm up.
        batch_seconds: length of a batch.

    Returns:
        Microseconds.
    """
    once = time.perf_counter()
    call()
    count = max(1, int(batch_seconds / max(time.perf_counter() - once, 1e-7)))
    means = []
    for _ in range(batches + 1):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        means.append((time.perf_counter() - begin) / count * 1e6)
    return sorted(means[1:])[batches // 2]
