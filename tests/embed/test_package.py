"""What the installed package promises: versions, pkg-config, C without C++, and nothing it does not name."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from embed.builds import BALANCE, EXAMPLE, ROOT, SUBDIRECTORY, build, run, tool, wheel_cmake_dir

# memcpy and its family: every freestanding compiler asks for them. getenv: RLCOMPRESS_TARGET.
C_LIBRARY = {"memcpy", "memmove", "memset", "memcmp", "getenv"}
COMPILER_RUNTIME = re.compile(
    r"__cpu_(model|features2|indicator_init)|__popcount\w+|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
)
LOCKS = re.compile(r"pthread|mutex|__cxa_guard|__atomic_|futex|sem_")


def archive(prefix: Path) -> Path:
    (found,) = prefix.rglob("librlcompress.a")
    return found


def undefined_symbols(file: Path) -> set[str]:
    """Names that the objects of an archive need from elsewhere."""
    wanted, defined = set(), set()
    for line in run(tool("nm"), "-P", file).splitlines():
        parts = line.split()
        if len(parts) >= 2 and len(parts[1]) == 1:
            (wanted if parts[1] in "Uw" else defined).add(parts[0])
    return wanted - defined


def test_the_library_asks_for_little(prefix: Path) -> None:
    """No exceptions, no allocation, no lock, no maths library but in functions that rank and sum up weights."""
    names = {name for name in undefined_symbols(archive(prefix)) if not COMPILER_RUNTIME.fullmatch(name)}
    assert names - {"cbrt", "sqrt"} <= C_LIBRARY, sorted(names)
    assert not [name for name in names if LOCKS.search(name)]


def test_constant_work_leaves_no_zero_out(tmp_path: Path) -> None:
    """The option reaches the compiler, which then makes no kernel that looks for zeros."""
    run(tool("cmake"), "-S", ROOT, "-B", tmp_path / "on", "-DRLCOMPRESS_CONSTANT_WORK=ON")
    commands = json.loads((tmp_path / "on" / "compile_commands.json").read_text(encoding="utf-8"))
    name = "neon" if platform.machine() == "aarch64" else "avx2"
    (command,) = (entry for entry in commands if entry["file"].endswith(f"targets/{name}.cpp"))
    found = []
    for constant in (True, False):
        words = shlex.split(command["command"])
        words = [word for word in words if constant or "RLCOMPRESS_CONSTANT_WORK" not in word]
        words[words.index("-o") + 1] = str(tmp_path / "kernels.o")
        run(*words, "-O0")
        found.append("dense_nonzero<" in run(tool("nm"), "-C", tmp_path / "kernels.o"))
    assert found == [False, True]


def test_a_project_that_embeds_the_library_installs_its_own_files_alone(tmp_path: Path) -> None:
    text = SUBDIRECTORY.format(root=ROOT.as_posix(), example=EXAMPLE.as_posix())
    (tmp_path / "CMakeLists.txt").write_text(text, encoding="utf-8")
    run(tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build")
    run(tool("cmake"), "--install", tmp_path / "build", "--prefix", tmp_path / "prefix")
    assert not list((tmp_path / "prefix").rglob("*"))


def test_a_c_program_links_without_cpp_and_maths(prefix: Path, tmp_path: Path) -> None:
    """With the flags that pkg-config prints, wherever the installation lies."""
    (folder,) = {path.parent for path in prefix.rglob("rlcompress.pc")}
    found = subprocess.run(
        [tool("pkg-config"), "--cflags", "--libs", "rlcompress"],
        env={**os.environ, "PKG_CONFIG_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    flags = found.stdout.split()
    assert f"-I{prefix}" in os.path.normpath(flags[0])
    warnings = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror")
    program = tmp_path / "policy"
    run(tool("cc"), *warnings, EXAMPLE / "policy.c", "-o", program, *flags)
    assert re.fullmatch(r"[0-9a-f]{8} .*\n", run(program, BALANCE, "0", "0", "0.1", "0"))
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run(tool("readelf"), "-d", program))
    assert not [name for name in needed if re.match(r"libstdc\+\+|libc\+\+|libm\.|libpthread", name)], needed


def test_a_project_of_c_alone_finds_the_installation(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(c_app LANGUAGES C)\nfind_package(rlcompress CONFIG REQUIRED)\n"
        f"add_executable(policy {EXAMPLE.as_posix()}/policy.c)\n"
        "target_link_libraries(policy PRIVATE rlcompress::rlcompress)\n",
        encoding="utf-8",
    )
    folder = build(tmp_path, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert run(folder / "policy", BALANCE, "0", "0", "0.1", "0").startswith("3f800000")


@pytest.mark.parametrize(("version", "accepted"), [("0.1", True), ("0.1.0", True), ("0.2", False), ("9", False)])
@pytest.mark.parametrize("way", ["installed", "wheel"])
def test_another_version_is_refused(
    way: str, version: str, accepted: bool, request: pytest.FixtureRequest, tmp_path: Path
):
    if way == "installed":
        place = f"-DCMAKE_PREFIX_PATH={request.getfixturevalue('prefix')}"
    else:
        place = f"-Drlcompress_DIR={wheel_cmake_dir()}"
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(app LANGUAGES CXX)\n"
        f"find_package(rlcompress {version} CONFIG REQUIRED)\n",
        encoding="utf-8",
    )
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}")
    done = subprocess.run(
        [tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build", *generator, place],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == accepted, done.stderr
    assert accepted or "version" in done.stderr


def test_the_wheel_holds_the_sources_of_the_core() -> None:
    """A cross compiler is served by the same wheel: it carries every source and no archive."""
    from embed.builds import ROOT

    folder = wheel_cmake_dir().parent
    tree = ROOT / "src" / "cpp"
    wanted = {
        path.relative_to(tree).as_posix()
        for name in ("core", "include", "kernels", "layers", "targets")
        for path in (tree / name).rglob("*")
        if path.is_file()
    }
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("cmake/")} == wanted
