"""The wheel serves a cross compiler: the example for AArch64, run by an emulator, with Python's bits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from embed.builds import BALANCE, GOLDEN, build, example_alone, run, tool, wheel_cmake_dir
from rlcompress.runtime import Runtime

EMULATOR = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "qemu-aarch64"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing: apt-get install g++-aarch64-linux-gnu qemu-user")
    folder = tmp_path_factory.mktemp("cross")
    return build(
        example_alone(folder / "sources"),
        folder / "build",
        f"-Drlcompress_DIR={wheel_cmake_dir()}",
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        "-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc",
        "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++",
    )


@pytest.mark.parametrize("policy", GOLDEN, ids=lambda path: path.stem)
def test_aarch64_gives_the_bits_of_this_machine(programs: Path, policy: Path) -> None:
    runtime = Runtime(policy)
    observation = np.random.default_rng(3).normal(0, 1, runtime.contract.observation_shape).astype(np.float32)
    expected = np.atleast_1d(runtime(observation)).astype(np.float32).view(np.uint32)
    values = [repr(float(value)) for value in observation.ravel()]
    for program in ("app", "policy"):
        printed = run(tool(EMULATOR[0]), *EMULATOR[1:], programs / program, policy, *values)
        assert [line.split()[0] for line in printed.splitlines()] == [f"{bits:08x}" for bits in expected]


def test_the_pole_stays_up_on_aarch64(programs: Path) -> None:
    assert "500 steps" in run(tool(EMULATOR[0]), *EMULATOR[1:], programs / "cartpole", BALANCE)


@pytest.mark.parametrize(
    "processor", ["-march=armv8.2-a+fp16", "-march=armv8.3-a", "-march=armv8.2-a+sve", "-mcpu=a64fx"]
)
def test_dot_products_compile_for_a_processor_with_more(processor: str, tmp_path: Path) -> None:
    core = Path(__file__).resolve().parents[2] / "src" / "cpp"
    compiler = tool("aarch64-linux-gnu-g++")
    options = ["-std=c++17", "-O1", "-Werror", "-fno-exceptions", "-fno-rtti", f"-I{core}", f"-I{core / 'include'}"]
    assembly = tmp_path / "neon.s"
    run(compiler, *options, processor, "-S", core / "targets" / "neon.cpp", "-o", assembly)
    assert "sdot" in assembly.read_text()
