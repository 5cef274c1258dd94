"""C and C++ programs outside the project, built on the library as users get it, give the bits that Python gives."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from embed.builds import BALANCE, EXAMPLE, GOLDEN, ROOT, tool
from rlcompress import kernels
from rlcompress.runtime import Runtime

CPP = ROOT / "src" / "cpp"
WAYS = ("subdirectory", "installed", "wheel")


@pytest.fixture(scope="module", params=WAYS)
def programs(request: pytest.FixtureRequest) -> Path:
    """Folder of the example's programs, by each way to the library."""
    folder: Path = request.getfixturevalue(f"{request.param}_app")
    return folder


def call(
    app: Path, policy: Path, observation: npt.NDArray[np.float32], target: str
) -> subprocess.CompletedProcess[str]:
    values = [repr(float(value)) for value in observation.ravel()]
    environment = {**os.environ, "RLCOMPRESS_TARGET": target}
    return subprocess.run([app, policy, *values], capture_output=True, text=True, check=False, env=environment)


def observations(runtime: Runtime) -> npt.NDArray[np.float32]:
    """Zeros and two random observations in the shape of the contract."""
    rng = np.random.default_rng(runtime.input_size)
    rows = rng.normal(0, 1.5, (3, *runtime.contract.observation_shape)).astype(np.float32)
    rows[0] = 0
    return rows


@pytest.mark.parametrize("program", ["app", "policy"])
@pytest.mark.parametrize("policy", GOLDEN, ids=lambda path: path.stem)
def test_the_programs_give_the_bits_of_the_runtime(
    programs: Path, policy: Path, program: str, request: pytest.FixtureRequest
) -> None:
    runtime = Runtime(policy)
    scalar_only = request.node.callspec.params["programs"] == "wheel"
    for target in ("scalar",) if scalar_only else kernels.targets():
        for observation in observations(runtime):
            expected = np.atleast_1d(runtime(observation)).astype(np.float32).view(np.uint32)
            done = call(programs / program, policy, observation, target)
            assert done.returncode == 0, done.stderr
            assert [line.split()[0] for line in done.stdout.splitlines()] == [f"{bits:08x}" for bits in expected]


@pytest.mark.parametrize("program", ["app", "policy", "cartpole"])
def test_a_file_that_cannot_be_read_is_named(installed_app: Path, tmp_path: Path, program: str) -> None:
    for path, reason in ((tmp_path / "none.rlc", "No such file"), (tmp_path, "Is a directory")):
        done = subprocess.run([installed_app / program, path], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"cannot read {path}: {reason}" in done.stderr
    done = subprocess.run([installed_app / program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {program} policy.rlc")


@pytest.mark.parametrize("program", ["app", "policy"])
def test_the_programs_say_what_is_wrong(installed_app: Path, tmp_path: Path, program: str) -> None:
    app, observation = installed_app / program, np.zeros(4, np.float32)
    damaged = tmp_path / "damaged.rlc"
    damaged.write_bytes(BALANCE.read_bytes()[:-1] + b"\x01")
    for done, words in (
        (call(app, damaged, observation, ""), "checksum"),
        (call(app, BALANCE, observation[:3], ""), "observations' size"),
        (call(app, BALANCE, observation, "bogus"), "no target of that name"),
    ):
        assert done.returncode == 1
        assert words in done.stderr


def test_an_instruction_set_that_was_left_out_is_refused(wheel_app: Path) -> None:
    done = call(wheel_app / "app", BALANCE, np.zeros(4, np.float32), "avx2")
    assert done.returncode == 1
    assert "no target of that name" in done.stderr


def test_a_linker_that_drops_sections_leaves_the_compression_out(installed_app: Path) -> None:
    symbols = subprocess.run([tool("nm"), installed_app / "app"], capture_output=True, text=True, check=True).stdout
    assert "normalise_f32" in symbols
    for kernel in ("spmm_rows_f32", "sddmm_rows_f32", "sift_magnitudes_f32", "block_moments_f32", "adam_f32"):
        assert kernel in (CPP / "kernels" / "table.inl").read_text(encoding="utf-8")
        assert kernel not in symbols


def test_the_pole_stays_up(programs: Path) -> None:
    """A closed loop in C++: physics and policy, 500 steps in each of ten episodes."""
    done = subprocess.run([programs / "cartpole", BALANCE, "10"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"episode {seed}: 500 steps" for seed in range(10)]


def test_the_pole_falls_without_a_policy_that_balances(installed_app: Path, tmp_path: Path) -> None:
    """The loop can fail: a policy that pushes the wrong way loses within a second of simulated time."""
    from balancing import linear

    linear(-1.0).save(tmp_path / "wrong.rlc")
    done = subprocess.run([installed_app / "cartpole", tmp_path / "wrong.rlc"], capture_output=True, text=True)
    assert done.returncode == 1
    steps = int(done.stdout.split()[2])
    assert 5 <= steps < 50


def test_the_readme_shows_what_the_program_does() -> None:
    """Every line of the README's C++ is in the program, in the same order."""
    (snippet,) = re.findall(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (usage,) = re.findall(r"```cmake\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for text, file in ((snippet, "main.cpp"), (usage, "CMakeLists.txt")):
        program = iter(" ".join(line.split()) for line in (EXAMPLE / file).read_text(encoding="utf-8").splitlines())
        for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
            assert any(line == found for found in program), f"not in {file}, or in another order: {line}"
