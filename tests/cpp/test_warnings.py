"""The core under the warnings of compilers that the build of the tests does not use: users make them errors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "src" / "cpp"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wno-pass-failed", "-Werror")
SMALL = ("-fno-exceptions", "-fno-rtti")
COMPILERS = {
    "clang": ("clang++",),
    "clang-aarch64": ("clang++", "--target=aarch64-linux-gnu"),
    "cortex-m7": ("arm-none-eabi-g++", "-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    "cortex-m0": ("arm-none-eabi-g++", "-mcpu=cortex-m0", "-mthumb"),
    "riscv64": ("riscv64-linux-gnu-g++",),
}
SOURCES = sorted(path for folder in ("core", "layers", "targets") for path in (CORE / folder).glob("*.cpp"))


@pytest.mark.parametrize("name", COMPILERS)
def test_no_compiler_warns(name: str) -> None:
    compiler, *flags = COMPILERS[name]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = (compiler, "-std=c++17", "-fsyntax-only", *flags, *WARNINGS, *SMALL, f"-I{CORE}", f"-I{CORE / 'include'}")
    done = subprocess.run([*command, *map(str, SOURCES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
