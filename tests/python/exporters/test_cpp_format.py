"""Exported C++ gives the bits of the runtime, also where the compiler contracts by default."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from embed.exported import cases_of, random_stored
from embed.targets import SVE, SVE_OPTIONS, commands
from rlcompress import artifact
from rlcompress.cli import main
from rlcompress.exporters import export
from rlcompress.exporters.cpp import cpp_source
from rlcompress.layers import Dense, IntegerDense
from rlcompress.network import Network

GOLDEN = sorted((Path(__file__).resolve().parents[2] / "golden").glob("v*.rlc"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
COMPILERS = {
    "gcc-O3-contracting": ["g++", "-O3", "-march=native", "-ffp-contract=fast", *WARNINGS],
    "gcc-O1-strict": ["g++", "-O1", *WARNINGS],
    "gcc-O2-without-avx512": ["g++", "-O2", "-march=native", "-mno-avx512f", *WARNINGS],
    "clang-O2-contracting": ["clang++", "-O2", "-march=native", "-ffp-contract=fast", "-Wall", "-Werror"],
    "clang-O2-unsafe": ["clang++", "-O2", "-march=native", "-funsafe-math-optimizations", "-Wall", "-Werror"],
}
MAIN = """\
#define {big}_SELF_TEST
#include "{name}.hpp"
#include <cstdio>
static int check_{name}() {{
  if ({name}::self_test() != 0) return 1;
  constexpr std::uint32_t in[][{name}::input_size] = {{{observations}}};
  constexpr std::uint32_t out[][{name}::action_size] = {{{actions}}};
  int wrong = 0;
  for (std::size_t i = 0; i < sizeof in / sizeof in[0]; ++i) {{
    std::array<float, {name}::input_size> x;
    __builtin_memcpy(x.data(), in[i], sizeof in[i]);
    const auto y = {name}::run(x);
    wrong |= __builtin_memcmp(y.data(), out[i], sizeof out[i]) != 0;
  }}
  return wrong;
}}
"""


def check_of(name: str, network: Network, seed: int) -> str:
    observations, actions = (
        ", ".join("{" + ", ".join(map(str, row)) + "}" for row in values.view(np.uint32).tolist())
        for values in cases_of(network, seed)
    )
    return MAIN.format(name=name, big=name.upper(), observations=observations, actions=actions)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One source that includes the headers of all networks and runs them."""
    folder = tmp_path_factory.mktemp("cpp")
    golden = [path for path in GOLDEN if path.stem in ("v1_activations", "v1_integer", "v1_squash")]
    networks = [*random_stored(8, 3), *map(artifact.load, golden)]
    text = []
    for index, network in enumerate(networks):
        export(network, "cpp", folder, name=f"n{index}")
        text.append(check_of(f"n{index}", network, index))
    calls = "".join(
        f'  if (check_n{i}() != 0) {{ std::printf("n%d\\n", {i}); wrong = 1; }}\n' for i in range(len(networks))
    )
    end = '  if (wrong != 0) std::printf("n%d\\n", wrong - 1);\n  return wrong != 0;\n'
    (folder / "main.cpp").write_text(f"{''.join(text)}int main() {{\n  int wrong = 0;\n{calls}{end}}}\n")
    return folder / "main.cpp"


@pytest.mark.parametrize("command", COMPILERS.values(), ids=COMPILERS)
def test_bits_are_those_of_the_runtime(command: list[str], program: Path, tmp_path: Path) -> None:
    found = shutil.which(command[0])
    if found is None:
        pytest.skip(f"{command[0]} is not installed")
    if "-mno-avx512f" in command and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("AVX-512 is an extension of x86")
    options = [*command[1:], "-std=c++17", program, "-o", tmp_path / "check"]
    built = subprocess.run([found, *options], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-4000:]
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"other bits: {done.stdout}"


def test_bits_are_those_of_the_runtime_in_vectors_of_any_length(program: Path, tmp_path: Path) -> None:
    """GCC 12 loses lanes with SVE at -O3 where inputs become bytes."""
    compiler, emulator = "aarch64-linux-gnu-g++", "qemu-aarch64"
    for tool in (compiler, emulator):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    subprocess.run([compiler, "-O3", *SVE_OPTIONS, "-std=c++17", program, "-o", tmp_path / "check"], check=True)
    for command in commands((emulator,), SVE):
        done = subprocess.run([*command, tmp_path / "check"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[-1]}: other bits: {done.stdout}"


def test_constants_are_counted_exactly() -> None:
    made = cpp_source(Network((Dense(np.ones((20, 30)), np.ones(20)),)), "n")
    assert made.constant_bytes == 4 * (20 * 30 + 20)
    assert made.stack_bytes == 4 * 20


def test_stack_is_no_workspace(tmp_path: Path) -> None:
    weight = np.ones((4, 40), np.int8)
    layer = IntegerDense(weight, np.zeros(4, np.int32), 1.0, 0, np.ones(4, np.float32))
    artifact.save(Network((layer,)), tmp_path / "net.rlc")
    written = export(tmp_path / "net.rlc", "cpp", tmp_path)
    assert (written.workspace_bytes, written.stack_bytes) == (0, 4 * 4 + 40)
    done = CliRunner().invoke(main, ["export", str(tmp_path / "net.rlc"), "--format", "cpp", "-o", str(tmp_path)])
    assert "no workspace; at least 56 bytes of stack" in done.output
    assert "it is compiled with your program" in done.output


def test_macros_of_the_user_stay(tmp_path: Path) -> None:
    found = shutil.which("g++")
    if found is None:
        pytest.skip("g++ is not installed")
    export(GOLDEN[0], "cpp", tmp_path, name="net")
    own = "#define ALWAYS_INLINE inline\n#define PLAIN_LANES 3\n"
    use = "ALWAYS_INLINE int f() { return PLAIN_LANES - 3; }\nint main() { return f(); }\n"
    (tmp_path / "main.cpp").write_text(f'{own}#include "net.hpp"\n{use}', encoding="utf-8")
    subprocess.run([found, "-std=c++17", "-Werror", "-fsyntax-only", tmp_path / "main.cpp"], check=True)
