"""The scripts in `examples/` run as they stand there."""

from __future__ import annotations

import os
import shutil
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


def test_the_firmware_holds_the_policy_that_is_named(tmp_path: Path) -> None:
    """Also where it is the older file, and where another was put in its place; the same one is exported once."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    exporter = tmp_path / "exporter.py"
    exporter.write_text("import shutil, sys\nshutil.copy(sys.argv[2], sys.argv[4] + '/policy.c')\n", encoding="utf-8")
    first, second = tmp_path / "first.rlc", tmp_path / "second.rlc"
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    second.chmod(0o444)
    os.utime(second, (1, 1))

    def exported(policy: Path) -> tuple[bytes, str]:
        source = tmp_path / "build" / "policy.c"
        settings = (f"BUILD={source.parent}", f"POLICY={policy}", f"RLCOMPRESS={sys.executable} {exporter}")
        command = [make, "-C", str(EXAMPLES / "microcontroller"), *settings, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return source.read_bytes(), done.stdout

    assert exported(first)[0] == b"first"
    assert exported(second)[0] == b"second"
    assert "exporter" not in exported(second)[1]
    assert exported(first)[0] == b"first"
    first.write_bytes(b"third")
    os.utime(first, (1, 1))
    assert exported(first)[0] == b"third"


@pytest.mark.parametrize(
    ("name", "words"), [("v1_squash", "argmax head expected"), ("v1_int4", "it observes 4 numbers")]
)
def test_firmware_for_another_policy_is_refused_with_the_reason(name: str, words: str, tmp_path: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    policy = Path(__file__).resolve().parents[1] / "golden" / f"{name}.rlc"
    settings = (f"BUILD={tmp_path}", f"POLICY={policy}", f"RLCOMPRESS={sys.executable} -m rlcompress")
    command = ["make", "-C", str(EXAMPLES / "microcontroller"), *settings, str(tmp_path / "m4.elf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr
    assert "undefined reference" not in done.stderr
