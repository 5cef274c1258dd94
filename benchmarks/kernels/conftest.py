"""`timed`: a contender's call under pytest-benchmark, after its answer was checked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import machine
import pytest
from registry import Contender
from timing import MissingError

Timed = Callable[[Contender, Any], None]


def pytest_configure() -> None:
    """One core, as the command has it; set thread counts to 1 in the environment yourself (see the README here)."""
    machine.pin(0)


@pytest.fixture
def timed(benchmark: Any) -> Timed:
    """Time a contender on a piece of work; skips where it is missing."""

    def run(contender: Contender, work: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peers warn of their own future
            try:
                prepared = contender.prepare(work)
            except MissingError as error:
                pytest.skip(str(error))
            work.check(prepared.answer())
            benchmark.group = work.name
            with prepared.surroundings():
                if prepared.reset is None:
                    benchmark(prepared.call)
                else:
                    benchmark.pedantic(prepared.call, setup=lambda: prepared.reset() and None, rounds=5)

    return run
