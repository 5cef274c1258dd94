"""Exported C gives the bits of the runtime, on this machine with every compiler and level of optimisation."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embed.exported import HOSTED_MAIN, random_stored, stored, write_program
from rlcompress import artifact
from rlcompress.contract import Argmax, Clip, Contract, squash_to
from rlcompress.errors import FormatError, InvalidValueError, MissingFileError
from rlcompress.exporters import export
from rlcompress.exporters.c import c_source
from rlcompress.exporters.code_size import CORTEX_M4
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

GOLDEN = sorted((Path(__file__).resolve().parents[2] / "golden").glob("v*.rlc"))
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
COMPILERS = {
    "gcc-O0-fma": ["gcc", "-O0", "-march=native"],
    "gcc-O1-strict": ["gcc", "-O1", *STRICT],
    "gcc-O3-contracting": ["gcc", "-O3", "-march=native", "-ffp-contract=fast"],
    "gcc-O1-no-float-strict": ["gcc", "-O1", "-DRLCOMPRESS_NO_FLOAT=1", *STRICT],
    "gcc-O0-no-float-sanitised": [
        *("gcc", "-O0", "-DRLCOMPRESS_NO_FLOAT=1", "-fsanitize=undefined", "-fno-sanitize-recover")
    ],
    "gcc-Os-integers": ["gcc", "-Os", "-DRLCOMPRESS_SOFT_FLOAT"],
    "clang-O2-contracting": ["clang", "-O2", "-march=native", "-ffp-contract=fast"],
    "clang-O2-unsafe": ["clang", "-O2", "-funsafe-math-optimizations"],
    "clang-O2-reciprocal": ["clang", "-O2", "-march=native", "-freciprocal-math"],
    "clang-O2-associative": ["clang", "-O2", "-fassociative-math", "-fno-signed-zeros"],
    "gcc-O0-sanitised": ["gcc", "-O0", "-fsanitize=undefined", "-fno-sanitize-recover"],
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def compiler(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Random networks and the golden files, as one program's sources."""
    folder = tmp_path_factory.mktemp("exported")
    golden = [path for path in GOLDEN if path.stem in ("v1_activations", "v1_integer", "v1_selected", "v1_squash")]
    made = write_program(folder, [*random_stored(1, 4), *map(artifact.load, golden)])
    (folder / "main.c").write_text(HOSTED_MAIN, encoding="utf-8")
    return [*made.sources, folder / "main.c"]


@pytest.mark.parametrize("command", COMPILERS.values(), ids=COMPILERS)
def test_bits_are_those_of_the_runtime(command: list[str], program: list[Path], tmp_path: Path) -> None:
    found = compiler(command[0])
    networks = len(program) - 2
    switches = [f"-DN{index}_SELF_TEST" for index in range(networks)]
    built = run(found, *command[1:], *switches, *program, "-o", tmp_path / "check")
    assert built.returncode == 0, built.stderr[-4000:]
    done = run(tmp_path / "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_bit_is_found(tmp_path: Path) -> None:
    """The check itself: one weight one step off."""
    found = compiler("gcc")
    network = stored(Network((Dense([[1.5, 2.0], [0.25, -1.0]], [0.5, 0.0]),)))
    made = write_program(tmp_path, [network])
    (tmp_path / "main.c").write_text(HOSTED_MAIN, encoding="utf-8")
    source = tmp_path / "n0.c"
    text = source.read_text(encoding="utf-8")
    assert "0x1.8p0F" in text
    source.write_text(text.replace("0x1.8p0F", "0x1.800002p0F"), encoding="utf-8")
    built = run(found, "-DN0_SELF_TEST", *made.sources, tmp_path / "main.c", "-o", tmp_path / "check")
    assert built.returncode == 0, built.stderr
    assert run(tmp_path / "check").returncode == 1


@pytest.mark.parametrize("option", ["-ffast-math", "-ffinite-math-only"])
def test_options_that_change_results_are_refused(option: str, tmp_path: Path) -> None:
    found = compiler("gcc")
    made = c_source(stored(Network((Dense([[1, 2]], [3]),))), "tiny")
    (tmp_path / "tiny.h").write_text(made.header, encoding="utf-8")
    (tmp_path / "tiny.c").write_text(made.source, encoding="utf-8")
    done = run(found, option, "-c", tmp_path / "tiny.c", "-o", tmp_path / "tiny.o")
    assert done.returncode != 0
    assert "fast-math" in done.stderr


def test_the_object_needs_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    """No library function but memcpy and memset, and no variable that is not constant."""
    found, nm = compiler("gcc"), compiler("nm")
    for index, network in enumerate(random_stored(2, 3)):
        made = c_source(network, f"n{index}")
        (tmp_path / f"n{index}.h").write_text(made.header, encoding="utf-8")
        (tmp_path / f"n{index}.c").write_text(made.source, encoding="utf-8")
        built = run(found, "-O2", "-march=native", "-c", tmp_path / f"n{index}.c", "-o", tmp_path / "n.o")
        assert built.returncode == 0, built.stderr
        rows = [line.split() for line in run(nm, tmp_path / "n.o").stdout.splitlines()]
        assert {row[-1] for row in rows if row[-2] == "U"} <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}
        assert not [row for row in rows if row[-2] in "bBdDC"], "a variable"


@pytest.mark.parametrize("no_float", [0, 1])
@pytest.mark.parametrize("name", ["v1_balance", "v1_integer", "v1_sparse"])
def test_clang_finds_nothing_unused(name: str, no_float: int, tmp_path: Path) -> None:
    found = compiler("clang")
    written = export(next(path for path in GOLDEN if path.stem == name), "c", tmp_path)
    done = run(
        found,
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-DRLCOMPRESS_NO_FLOAT={no_float}",
        "-fsyntax-only",
        written.files[1],
    )
    assert done.returncode == 0, done.stderr


def test_constants_are_counted_exactly(tmp_path: Path) -> None:
    weight = np.arange(24 * 40).reshape(24, 40) % 7 - 3
    dense = Network((Dense(weight, np.ones(24)),))
    assert c_source(stored(dense), "n").constant_bytes == 4 * (24 * 40 + 24)
    quantised = Network((QuantizedDense(weight.astype(np.int8), np.zeros(24, np.int8), 4),))
    assert c_source(stored(quantised), "n").constant_bytes == 24 * 40 // 2
    integer = IntegerDense(weight.astype(np.int8), np.zeros(24, np.int32), 1.0, 0, np.ones(24, np.float32))
    made = c_source(stored(Network((integer,))), "n")
    assert made.constant_bytes == 24 * 40 + 4 * 24 + 4 * 24
    assert made.macs == 24 * 40
    assert made.workspace_bytes == 40 + 4 * 24


@pytest.mark.parametrize(
    "head",
    [Argmax(3), squash_to([-1, -2], [1, 2]), Clip([-1, -np.inf], [np.inf, 1], [1, 2], [0, 1])],
    ids=lambda head: head.kind,
)
def test_files_are_the_same_every_time(head: Argmax, tmp_path: Path) -> None:
    network = Network((Dense([[1, 2, 3], [3, 4, 5]], [3, 0]),), Contract((3,), head))
    first = export(network, "c", tmp_path, name="lander")
    texts = [path.read_bytes() for path in first.files]
    assert [path.name for path in first.files] == ["lander.h", "lander.c"]
    assert export(network, "c", tmp_path / "lander.h").files == first.files
    assert [path.read_bytes() for path in first.files] == texts
    assert ("lander_decide" in texts[0].decode()) == (head.kind == "argmax")


SKETCH_STUBS = """
#include <cstdio>
struct { void begin(long) {} template <class T> void println(T v, int = 0) { std::printf("%g\\n", double(v)); }
  void print(const char *) {} } Serial;
static unsigned long micros() { return 0; }
static void delay(int) {}
"""


@pytest.mark.parametrize("name", ["v1_balance", "v1_squash"])
def test_an_arduino_library_builds(name: str, tmp_path: Path) -> None:
    """The sketch, with stand-ins for what the board's core gives it."""
    gcc, gxx = compiler("gcc"), compiler("g++")
    path = next(path for path in GOLDEN if path.stem == name)
    written = export(path, "c", tmp_path, name="lander", layout="arduino")
    library = tmp_path / "lander"
    assert {str(file.relative_to(library)) for file in written.files} == {
        "library.properties",
        "library.json",
        "keywords.txt",
        "src/lander.h",
        "src/lander.c",
        "examples/lander_demo/lander_demo.ino",
    }
    properties = dict(line.split("=", 1) for line in (library / "library.properties").read_text().splitlines())
    described = json.loads((library / "library.json").read_text())
    assert properties["name"] == described["name"] == "lander"
    assert {"avr", "esp32", "*"} & set(properties["architectures"].split(",")) == {"avr", "esp32"}
    keywords = (library / "keywords.txt").read_text()
    assert "lander_workspace\tKEYWORD1\n" in keywords
    assert ("lander_decide" in keywords) == (name == "v1_balance")
    plain = export(path, "c", tmp_path / "plain/", name="lander").code
    assert written.code is not None
    assert plain is not None
    assert written.code.target == f"{plain.target}, the self-test included"
    assert written.code.stack_bytes >= plain.stack_bytes
    assert properties["version"] == described["version"]
    sketch = (library / "examples" / "lander_demo" / "lander_demo.ino").read_text()
    (tmp_path / "sketch.cpp").write_text(f"{SKETCH_STUBS}{sketch}\nint main() {{ setup(); loop(); }}\n")
    built = run(gcc, "-std=gnu11", "-Os", "-c", library / "src" / "lander.c", "-o", tmp_path / "lander.o")
    assert built.returncode == 0, built.stderr
    built = run(
        gxx,
        "-std=gnu++11",
        f"-I{library / 'src'}",
        tmp_path / "sketch.cpp",
        tmp_path / "lander.o",
        "-o",
        tmp_path / "demo",
    )
    assert built.returncode == 0, built.stderr
    done = run(tmp_path / "demo")
    assert done.returncode == 0
    runtime = Runtime(path)
    action = np.atleast_1d(runtime(np.zeros(runtime.contract.observation_shape, np.float32)))
    passed, *printed = [float(word) for word in done.stdout.split()[:-1]]
    assert passed == 0
    np.testing.assert_allclose(printed, action, rtol=1e-4)


def test_the_printed_size_is_that_of_the_files(tmp_path: Path) -> None:
    """Of a library for Arduino with the self-test, which its header switches on."""
    found, size = compiler("arm-none-eabi-gcc"), compiler("arm-none-eabi-size")
    for layout, place in (("plain", tmp_path), ("arduino", tmp_path / "lander" / "src")):
        for form in ("v1_balance", "v1_squash"):
            path = next(path for path in GOLDEN if path.stem == form)
            written = export(path, "c", tmp_path, name="lander", layout=layout)
            built = run(found, *CORTEX_M4, "-Os", "-c", place / "lander.c", "-o", tmp_path / "lander.o")
            assert built.returncode == 0, built.stderr
            text, data = run(size, tmp_path / "lander.o").stdout.splitlines()[1].split()[:2]
            assert written.flash_bytes == int(text) + int(data)


def test_a_slash_makes_a_folder_and_other_suffixes_are_refused(tmp_path: Path) -> None:
    network = Network((Dense([[1, 2]], [3]),))
    written = export(network, out=f"{tmp_path}/v1.2/", name="lander")
    assert written.files[0] == tmp_path / "v1.2" / "lander.h"
    for form, layout, file, words in (
        ("c", "plain", "lander.txt", "ends in .h or .c expected, found"),
        ("cpp", "plain", "lander.h", "ends in .hpp expected"),
        ("c", "plain", "lander.rlc", "lander.rlc/"),
        ("c", "arduino", "lib.zip", "a folder .layout arduino. expected"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            export(network, form, tmp_path / file, layout=layout)
    assert [path.name for path in tmp_path.iterdir()] == ["v1.2"]


def test_what_is_refused(tmp_path: Path) -> None:
    network = Network((Dense([[1, 2]], [3]),))
    for words, arguments in (
        ("format", {"format": "fortran"}),
        ("layout", {"layout": "heap"}),
        ("layout arduino: format c expected", {"layout": "arduino", "format": "wasm"}),
        ("name", {"name": "1st"}),
        ("name", {"name": "while"}),
        ("name", {"name": 'x"; #include'}),
    ):
        with pytest.raises(InvalidValueError, match=words):
            export(network, out=tmp_path, **arguments)
    with pytest.raises(MissingFileError, match="no such folder"):
        export(network, out=tmp_path / "none" / "x.c")
    (tmp_path / "bad.rlc").write_bytes(b"RLC")
    with pytest.raises(FormatError):
        export(tmp_path / "bad.rlc", out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.rlc"]
