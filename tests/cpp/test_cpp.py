"""Configures, builds and runs the C++ tests, so that `pytest tests` covers both languages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent


def tool(name: str) -> str:
    found = shutil.which(name, path=str(SCRIPTS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with the extra 'test'")
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-4000:]}"
    return done.stdout


def test_the_cpp_tests_pass(tmp_path):
    """Release build with warnings as errors, into a temporary folder."""
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        pytest.skip("there is no C++ compiler")
    build, cmake = str(tmp_path / "build"), tool("cmake")
    run(
        cmake,
        "-S",
        str(ROOT),
        "-B",
        build,
        "-G",
        "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
        "-DRLCOMPRESS_TESTS=ON",
    )
    run(cmake, "--build", build)
    output = run(tool("ctest"), "--test-dir", build, "--output-on-failure", "--no-tests=error")
    ran = re.search(r"100% tests passed", output)
    assert ran, output
    listed = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.c*")}
    missing = {name for name in listed if not re.search(rf"\b{name}\b", output)}
    assert not missing, f"not registered with ctest: {sorted(missing)}"
