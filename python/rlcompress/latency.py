"""Microseconds of one call, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


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


def call_latencies_us(
    calls: Sequence[Callable[[], object]], rounds: int = 60, batch_seconds: float = 3e-4
) -> list[float]:
    """Time of one of each of several calls, measured in alternating batches so that a noisy moment hits all of them.

    Args:
        calls: what to compare.
        rounds: batches of each, after one to warm up.
        batch_seconds: length of a batch.

    Returns:
        Microseconds: for each call the least mean of a batch.
    """
    counts = []
    for call in calls:
        call()
        once = time.perf_counter()
        call()
        counts.append(max(1, int(batch_seconds / max(time.perf_counter() - once, 1e-7))))
    best = [float("inf")] * len(calls)
    for _ in range(rounds + 1):
        for index, (call, count) in enumerate(zip(calls, counts)):
            begin = time.perf_counter()
            for _ in range(count):
                call()
            best[index] = min(best[index], (time.perf_counter() - begin) / count * 1e6)
    return best
