"""Builds of programs outside the project, on the library as its users get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "cmake-app"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("v*.rlc"))
BALANCE = ROOT / "tests" / "golden" / "v1_balance.rlc"
SCRIPTS = Path(sys.executable).parent

SUBDIRECTORY = """
cmake_minimum_required(VERSION 3.20)
project(app LANGUAGES C CXX)
add_subdirectory({root} library)
foreach(program IN ITEMS main.cpp cartpole.cpp policy.c)
  get_filename_component(name ${{program}} NAME_WE)
  add_executable(${{name}} {example}/${{program}})
  target_link_libraries(${{name}} PRIVATE rlcompress::rlcompress)
endforeach()
set_target_properties(main PROPERTIES OUTPUT_NAME app)
"""


def tool(name: str) -> str:
    found = shutil.which(name, path=str(SCRIPTS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def need_compiler() -> None:
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        pytest.skip("there is no C++ compiler")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}{done.stderr[-4000:]}"
    return done.stdout


def build(sources: Path, folder: Path, *settings: str) -> Path:
    """Configures and builds unoptimised, which is four times quicker; optimised kernels are what tests/cpp is for.

    Args:
        sources: a folder with a CMakeLists.txt.
        folder: of the build; need not exist.
        settings: more arguments of `cmake`.

    Returns:
        `folder`.
    """
    cmake = tool("cmake")
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", "-DCMAKE_BUILD_TYPE=Debug")
    run(cmake, "-S", sources, "-B", folder, *generator, *settings)
    run(cmake, "--build", folder)
    return folder


def example_alone(folder: Path) -> Path:
    """A copy of the example away from the project, so that it finds nothing but the library it is given."""
    return shutil.copytree(EXAMPLE, folder)


def wheel_cmake_dir() -> Path:
    """What `python -m rlcompress --cmake-dir` prints; skips where the package is not an installed one."""
    done = subprocess.run(
        [sys.executable, "-m", "rlcompress", "--cmake-dir"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and "installed wheel expected" in done.stderr:
        pytest.skip("the package under test is the source tree, not an installed wheel")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
