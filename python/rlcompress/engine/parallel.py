"""`parallel_map`: the same results as a plain loop, from worker processes that stay alive between calls."""

from __future__ import annotations

import copy
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from rlcompress.errors import InvalidValueError, MissingExtraError, RlcompressError
from rlcompress.optional import require

Item = TypeVar("Item")
Made = TypeVar("Made")

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_IDLE_SECONDS = 60
_CHUNKS_PER_WORKER = 4
_in_worker = False


def available_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def parallel_map(function: Callable[[Item], Made], items: Sequence[Item], jobs: int) -> list[Made]:
    """`[function(item) for item in items]`, spread over worker processes.

    Numerical libraries use one thread in the workers, and torch one thread in a plain loop too. Runs as a plain loop
    for one job or item, inside of a worker, and where joblib is missing; on other machines where a backend of joblib
    is active (`cluster`, or `joblib.parallel_config`).

    Args:
        function: must give the same result in any process; it and the items must be picklable (closures and lambdas
            are).
        items: in the order of the results.
        jobs: worker processes, >= 1.

    Raises:
        InvalidValueError: jobs < 1.
        Exception: of the first item that failed, with the item named in its message.
        RlcompressError: a worker died.
    """
    items = list(items)
    if jobs < 1:
        raise InvalidValueError(f"jobs: at least 1 expected, found {jobs}")
    loky = None if jobs == 1 or len(items) <= 1 or _in_worker else _loky()
    if loky is None:
        with single_threaded():
            return _unwrapped(_run_chunk(function, 0, items), len(items))
    if _foreign_backend():
        return _spread_by_joblib(function, items, jobs)
    return _spread(loky, function, items, jobs)


def close_workers() -> None:
    """End the worker processes, if there are any, whatever they are doing."""
    reusable = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(reusable, "_executor", None)
    if executor is None:
        return
    # loky leaves this thread alone: at the end of the process it could be cut between unlinking and unregistering
    # a semaphore, about which loky then warns.
    feeder = getattr(getattr(executor, "_call_queue", None), "_thread", None)
    executor.shutdown(wait=True, kill_workers=True)
    if feeder is not None:
        feeder.join()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep torch, where it is loaded, at one thread: sums then do not depend on the number of processors."""
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 1
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _loky() -> Any:
    try:
        return require("joblib.externals.loky")
    except MissingExtraError:
        return None


def _spread(loky: Any, function: Callable[[Item], Made], items: list[Item], jobs: int) -> list[Made]:
    executor = loky.get_reusable_executor(
        max_workers=jobs, timeout=_IDLE_SECONDS, initializer=_start_worker, env=dict.fromkeys(_THREAD_VARIABLES, "1")
    )
    size = -(-len(items) // (jobs * _CHUNKS_PER_WORKER))
    starts = range(0, len(items), size)
    futures = []
    try:
        futures += [executor.submit(_run_chunk, function, start, items[start : start + size]) for start in starts]
        return [made for future in futures for made in _unwrapped(future.result(), len(items))]
    except loky.BrokenProcessPool as error:
        close_workers()
        text = f"a worker process died (out of memory?): {error}; use fewer jobs than {jobs}, or 1 to see the cause"
        raise RlcompressError(text) from error
    except Exception:
        for future in futures:
            future.cancel()
        raise
    except BaseException:
        close_workers()
        raise


def _foreign_backend() -> bool:
    """Whether the user made another backend of joblib active than its own processes."""
    joblib: Any = require("joblib")
    backend, _ = joblib.parallel.get_active_backend()
    return not isinstance(backend, (joblib.parallel.LokyBackend, joblib.parallel.SequentialBackend))


def _spread_by_joblib(function: Callable[[Item], Made], items: list[Item], jobs: int) -> list[Made]:
    joblib: Any = require("joblib")
    size = -(-len(items) // (jobs * _CHUNKS_PER_WORKER))
    calls = (
        joblib.delayed(_run_far_chunk)(function, start, items[start : start + size])
        for start in range(0, len(items), size)
    )
    try:
        chunks = joblib.Parallel(n_jobs=jobs, batch_size=1)(calls)
    except RlcompressError:
        raise
    except Exception as error:
        raise RlcompressError(f"joblib's active backend failed: {type(error).__name__}: {error}") from error
    return [made for chunk in chunks for made in _unwrapped(chunk, len(items))]


def _run_far_chunk(function: Callable[[Item], Made], start: int, items: Sequence[Item]) -> list[Made] | _Failure:
    """`_run_chunk` in a process that `_start_worker` did not start."""
    global _in_worker
    before, _in_worker = _in_worker, True
    try:
        with single_threaded():
            return _run_chunk(function, start, items)
    finally:
        _in_worker = before


def _start_worker() -> None:
    global _in_worker
    _in_worker = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


@dataclass(frozen=True, eq=False)
class _Failure:
    """An error on its way to the parent, whose message then names the item."""

    index: int
    error: Exception
    trace: str


def _run_chunk(function: Callable[[Item], Made], start: int, items: Sequence[Item]) -> list[Made] | _Failure:
    made = []
    for index, item in enumerate(items, start):
        try:
            made.append(function(item))
        except Exception as error:
            return _Failure(index, _portable(error), traceback.format_exc())
    return made


def _unwrapped(made: list[Made] | _Failure, count: int) -> list[Made]:
    if not isinstance(made, _Failure):
        return made
    error, name = made.error, f"item {made.index} of {count}"
    if len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{name}: {error.args[0]}",)
    elif not isinstance(error, RlcompressError):
        error = RlcompressError(f"{name}: {type(error).__name__}: {error}")
    raise error from RlcompressError(made.trace)


def _portable(error: Exception) -> Exception:
    """The error, or ours in its place where it cannot be built again in another process."""
    try:
        copy.copy(error)
    except Exception:
        return RlcompressError(f"{type(error).__name__}: {error}")
    return error
