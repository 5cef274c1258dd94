from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import rlcompress

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Any]:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs fork and /proc")
    package = str(Path(rlcompress.__file__).parent.parent)
    path = os.pathsep.join([package, str(HERE), os.environ.get("PYTHONPATH", "")])
    memory = Path("/dev/shm")  # a kill, unlike a power failure, leaves what was written; no need to wait for a disk
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "killed_runs.py"), folder],
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_killed_at_every_system_call_of_saving(outcomes: dict[str, Any]) -> None:
    assert (
        outcomes["calls"] >= 3 * 9
    )  # three files at the start, six checkpoints, each: fsync, rename, fsync of the folder
    assert len(outcomes["by_call"]) == outcomes["calls"]
    assert all(found == outcomes["wanted"] for found in outcomes["by_call"])


def test_killed_at_random_moments_again_and_again(outcomes: dict[str, Any]) -> None:
    assert outcomes["kills"] >= 20
    assert all(found == outcomes["wanted"] for found in outcomes["by_moment"])
