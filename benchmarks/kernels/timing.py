"""Contenders for one piece of work, timed in turns so that noise of the machine hits all of them alike."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, repeat
from typing import Any

_LONG_US = 10_000.0  # a single call of this length is a batch, and needs no warming

CLOCK = "processor" if os.environ.get("RLCOMPRESS_BENCH_CLOCK") == "processor" else "wall"
"""`processor`: time of this process alone, for machines whose other work would interrupt every long call."""
_now_ns = time.process_time_ns if CLOCK == "processor" else time.perf_counter_ns


class MissingError(Exception):
    """A contender cannot run here; the message says what is missing."""


@dataclass(frozen=True)
class Prepared:
    """A contender ready for one piece of work.

    Args:
        call: what is timed.
        result: after a call, its answer for the check against the reference; None = what `call` returns.
        reset: run before each call and not timed, for work that changes its operands; a batch is then one call.
        before: run before a batch, and `after` behind it; not timed.
        after: see `before`.
        loop: does the work of `call` so many times; None = calls it.
    """

    call: Callable[[], object]
    result: Callable[[], object] | None = None
    reset: Callable[[], object] | None = None
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    loop: Callable[[int], object] | None = None

    def answer(self) -> object:
        """One call and its answer."""
        with self.surroundings():
            if self.reset is not None:
                self.reset()
            returned = self.call()
            return returned if self.result is None else self.result()

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """`before` and `after` around a block."""
        if self.before is not None:
            self.before()
        try:
            yield
        finally:
            if self.after is not None:
                self.after()


def inlined(
    statements: Sequence[str], names: Mapping[str, object], turns: Sequence[object] = (), **others: Any
) -> Prepared:
    """Statements as a user has them in a loop: no function of ours around them, whose call would cost as much as some.

    Args:
        statements: the value of the last one is what `call` returns.
        names: what they speak of.
        turns: what `x` is in a loop, one after the other: for work that takes longer on some values than on others.
        others: fields of `Prepared`.
    """
    *steps, last = statements
    lines = [f"def made({', '.join(names)}):"]
    lines += [" def call():", *(f"  {step}" for step in steps), f"  return {last}"]
    head = "  for x in islice(turns, count):" if turns else "  for _ in repeat(None, count):"
    lines += [" def loop(count):", head, *(f"   {step}" for step in statements)]
    scope: dict[str, Any] = {"repeat": repeat, "islice": islice, "turns": cycle(turns)}
    exec("\n".join([*lines, " return call, loop"]), scope)
    call, loop = scope["made"](**names)
    return Prepared(call, loop=loop, **others)


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call: the smallest and the median mean of a batch."""

    minimum_us: float
    median_us: float
    batches: int


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Args:
        batches: timed batches of each contender.
        batch_us: aim for the length of a batch.
        seconds: stop after this time once `least` batches are done.
        least: batches that even the slowest contender gets.
    """

    batches: int = 60
    batch_us: float = 100.0
    seconds: float = 20.0
    least: int = 5


def time_in_turns(contenders: Mapping[str, Prepared], effort: Effort) -> dict[str, Timing]:
    """Time every contender, one batch each per round."""
    counts = {name: _calls_per_batch(prepared, effort) for name, prepared in contenders.items()}
    means: dict[str, list[float]] = {name: [] for name in contenders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter() + effort.seconds
        for batch in range(effort.batches):
            if batch >= effort.least and time.perf_counter() > end:
                break
            for name, prepared in contenders.items():
                means[name].append(_batch_us(prepared, counts[name]))
    finally:
        if collecting:
            gc.enable()
    return {name: _timing(values) for name, values in means.items()}


def _calls_per_batch(prepared: Prepared, effort: Effort) -> int:
    if prepared.reset is not None:
        return 1
    prepared.answer()
    once = _batch_us(prepared, 1)
    for _ in range(5):  # the smallest: an interrupted call must not pass for a long one
        if once < 50 * _LONG_US:
            once = min(once, _batch_us(prepared, 1))
    if once * 20 < effort.batch_us:
        once = min(_batch_us(prepared, 20) for _ in range(3))
    return max(1 if once > _LONG_US else 5, int(effort.batch_us / max(once, 0.01)))


def _batch_us(prepared: Prepared, count: int) -> float:
    loop = prepared.loop or partial(_calls, prepared.call)
    with prepared.surroundings():
        if prepared.reset is not None:
            prepared.reset()
        elif count > 1:
            loop(count // 3 + 2)  # bring its operands and its code back into the caches
        start = _now_ns()
        loop(count)
        return (_now_ns() - start) / count * 1e-3


def _calls(call: Callable[[], object], count: int) -> None:
    for _ in repeat(None, count):
        call()


def _timing(means: list[float]) -> Timing:
    ordered = sorted(means)
    return Timing(ordered[0], ordered[len(ordered) // 2], len(ordered))
