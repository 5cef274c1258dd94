from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlcompress
from rlcompress.engine import parallel
from rlcompress.engine.parallel import available_cpus, close_workers, parallel_map
from rlcompress.errors import FormatError, InvalidValueError, RlcompressError

pytest.importorskip("joblib")


@pytest.fixture(scope="module", autouse=True)
def no_workers_left() -> Iterator[None]:
    yield
    close_workers()


def test_results_are_those_of_a_plain_loop_in_order() -> None:
    items = list(range(23))
    assert parallel_map(lambda item: item * item, items, 2) == [item * item for item in items]
    assert parallel_map(lambda item: item * item, items, 1) == [item * item for item in items]
    assert parallel_map(lambda item: item, [], 2) == []


def test_workers_are_other_processes_that_stay_and_use_one_thread() -> None:
    def facts(item: int) -> tuple[int, str]:
        time.sleep(0.01)
        return os.getpid(), os.environ["OMP_NUM_THREADS"] + os.environ["OPENBLAS_NUM_THREADS"]

    first = parallel_map(facts, range(8), 2)
    second = parallel_map(facts, range(8), 2)
    assert os.getpid() not in {pid for pid, _ in first}
    assert len({pid for pid, _ in first + second}) <= 2  # one of them may have come too late for the first call
    assert {threads for _, threads in first} == {"11"}


def test_nested_use_is_a_plain_loop() -> None:
    def outer(item: int) -> bool:
        return set(parallel_map(lambda _: os.getpid(), range(4), 2)) == {os.getpid()}

    assert parallel_map(outer, range(4), 2) == [True] * 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_failing_item_is_named(jobs: int) -> None:
    def fail(item: int) -> int:
        if item >= 5:
            raise ValueError(f"bad {item}")
        return item

    with pytest.raises(ValueError, match=r"^item 5 of 20: bad 5$"):
        parallel_map(fail, range(20), jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_typed_errors_keep_their_type(jobs: int) -> None:
    def fail(item: int) -> int:
        raise FormatError("magic", 0, "RLC", "ZIP")

    with pytest.raises(FormatError, match=r"item 0 of 3: malformed .* magic at byte 0"):
        parallel_map(fail, range(3), jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_that_cannot_travel_become_ours(jobs: int) -> None:
    class StrangeError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("strange")

    def fail(item: int) -> int:
        raise StrangeError(1, 2)

    with pytest.raises(RlcompressError, match="item 0 of 3: StrangeError: strange"):
        parallel_map(fail, range(3), jobs)
    assert parallel_map(abs, [-1, -2], jobs) == [1, 2]


def test_a_dead_worker_is_an_error_message_and_the_next_call_works() -> None:
    with pytest.raises(RlcompressError, match="a worker process died"):
        parallel_map(lambda item: os.kill(os.getpid(), signal.SIGKILL), range(4), 2)
    assert parallel_map(abs, [-1, -2, -3], 2) == [1, 2, 3]


def test_without_joblib_it_is_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    for name in [name for name in sys.modules if name.startswith("joblib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(parallel, "_spread", None)
    assert parallel_map(lambda item: os.getpid(), range(3), 2) == [os.getpid()] * 3


def test_jobs_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="jobs"):
        parallel_map(abs, [1], 0)
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


def test_torch_keeps_to_one_thread_in_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Torch:
        threads = 4

        def get_num_threads(self) -> int:
            return self.threads

        def set_num_threads(self, count: int) -> None:
            self.threads = count

    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert parallel_map(lambda _: torch.threads, range(2), 1) == [1, 1]
    assert torch.threads == 4


def test_no_thread_outlives_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cut at the end of the process leaves semaphores that loky warns about."""
    queues = pytest.importorskip("joblib.externals.loky.backend.queues")
    feed = queues.Queue._feed

    def slow_feed(*arguments: Any) -> None:
        feed(*arguments)
        time.sleep(0.2)

    close_workers()
    monkeypatch.setattr(queues.Queue, "_feed", slow_feed)
    assert parallel_map(abs, range(2), 2) == [0, 1]
    close_workers()
    assert [thread.name for thread in threading.enumerate() if thread.name == "QueueFeederThread"] == []


def test_ctrl_c_ends_the_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, time
            from rlcompress.engine.parallel import parallel_map
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
            def work(item):
                os.write(1, f"worker {os.getpid()}\\n".encode())
                time.sleep(600)
            if __name__ == "__main__":
                try:
                    parallel_map(work, range(2), 2)
                except KeyboardInterrupt:
                    print("interrupted", flush=True)
            """
        )
    )
    path = os.pathsep.join([str(Path(rlcompress.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    workers = [int(child.stdout.readline().split()[1]) for _ in range(2)]
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, error = child.communicate(timeout=120)
    assert out == "interrupted\n"
    assert error == ""
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
