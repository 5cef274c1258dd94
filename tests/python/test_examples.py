"""The scripts in `examples/` run as they stand there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rlcompress import artifact
from rlcompress.runtime import Runtime

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(folder: Path, script: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def test_own_network(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    printed = run(tmp_path, "own_network.py", "net.rlc")
    assert "the same bytes and the same bits" in printed
    dense, pruned = artifact.load(tmp_path / "net.rlc"), artifact.load(tmp_path / "net-pruned.rlc")
    weights = sum(layer.weight.size for layer in dense.dense_layers())
    biases = dense.parameter_count - weights
    assert pruned.parameter_count - biases == weights - round(0.9 * weights)
    assert Runtime(tmp_path / "net.rlc").self_test() > 0


def test_compress_policy(tmp_path: Path) -> None:
    for module in ("torch", "gymnasium", "stable_baselines3", "cma"):
        pytest.importorskip(module)
    printed = run(tmp_path, "compress_policy.py", "--tiny", "--steps", "1024")
    assert "return of one episode with it" in printed
    folder = tmp_path / "runs" / "example"
    policy = Runtime(folder / "policy.rlc")
    assert policy.self_test() > 0
    assert policy.contract.observation_shape == (4,)
    assert (folder / "run").is_dir()
