"""A C++ program outside the project, built on the installed library, gives the bits that Python gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rlcompress import kernels
from rlcompress.runtime import Runtime

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "examples" / "cmake-app"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("v*.rlc"))
SCRIPTS = Path(sys.executable).parent


def tool(name: str) -> str:
    found = shutil.which(name, path=str(SCRIPTS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with the extra 'test'")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, configured by `find_package` from an installation of the library that has no Python in it."""
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        pytest.skip("there is no C++ compiler")
    folder = tmp_path_factory.mktemp("embed")
    cmake, prefix = tool("cmake"), folder / "prefix"
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", "-DCMAKE_BUILD_TYPE=Release")
    run(cmake, "-S", ROOT, "-B", folder / "library", *generator)
    run(cmake, "--build", folder / "library", "--target", "rlcompress")
    run(cmake, "--install", folder / "library", "--prefix", prefix)
    sources = shutil.copytree(CONSUMER, folder / "sources")  # away from the project: only the installation is there
    run(cmake, "-S", sources, "-B", folder / "app", *generator, f"-DCMAKE_PREFIX_PATH={prefix}")
    run(cmake, "--build", folder / "app")
    return folder / "app" / "app"


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


@pytest.mark.parametrize("target", kernels.targets())
@pytest.mark.parametrize("policy", GOLDEN, ids=lambda path: path.stem)
def test_the_program_gives_the_bits_of_the_runtime(app: Path, policy: Path, target: str) -> None:
    runtime = Runtime(policy)
    for observation in observations(runtime):
        expected = np.atleast_1d(runtime(observation)).astype(np.float32).view(np.uint32)
        done = call(app, policy, observation, target)
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines()] == [f"{bits:08x}" for bits in expected]


def test_the_program_says_what_is_wrong(app: Path, tmp_path: Path) -> None:
    policy = next(path for path in GOLDEN if path.stem == "v1_balance")
    observation = np.zeros(4, np.float32)
    damaged = tmp_path / "damaged.rlc"
    damaged.write_bytes(policy.read_bytes()[:-1] + b"\x01")
    for done, words in (
        (call(app, damaged, observation, ""), "checksum"),
        (call(app, tmp_path / "none.rlc", observation, ""), "shorter"),
        (call(app, policy, observation[:3], ""), "observations' size"),
        (call(app, policy, observation, "bogus"), "no target of that name"),
    ):
        assert done.returncode == 1
        assert words in done.stderr


def test_the_readme_shows_what_the_program_does() -> None:
    """Every line of the README's C++ is in the program, in the same order."""
    (snippet,) = re.findall(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (usage,) = re.findall(r"```cmake\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for text, file in ((snippet, "main.cpp"), (usage, "CMakeLists.txt")):
        program = iter(" ".join(line.split()) for line in (CONSUMER / file).read_text(encoding="utf-8").splitlines())
        for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
            assert any(line == found for found in program), f"not in {file}, or in another order: {line}"
