"""C++: includes point down, one folder knows Python, one list per registry."""

from __future__ import annotations

import re

import pytest

from architecture.source_tree import CPP, ROOT, relative, text_files

FLOORS = {"include": 0, "kernels": 1, "targets": 2, "layers": 2, "core": 3, "bindings": 4}
FOLDER_OF_PREFIX = {"rlcompress": "include", **{name: name for name in FLOORS}}
SOURCES = sorted(path for path in CPP.rglob("*") if path.suffix in (".cpp", ".hpp", ".h", ".inl", ".def"))
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
STANDARD = re.compile(r"[a-z_]+(\.h)?")


def folder_of(path) -> str:
    return path.relative_to(CPP).parts[0]


def test_the_sources_are_where_this_test_looks():
    assert {folder_of(path) for path in SOURCES} >= {"include", "kernels", "targets", "core", "bindings"}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_includes_point_down(path):
    for quoted, angled in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if not quoted and not angled.startswith("rlcompress/"):
            continue
        prefix = (quoted or angled).split("/")[0]
        assert prefix in FOLDER_OF_PREFIX, (
            f"{relative(path)}: include {quoted!r} by its folder, as in 'kernels/table.hpp'"
        )
        target = FOLDER_OF_PREFIX[prefix]
        assert FLOORS[target] <= FLOORS[folder_of(path)], (
            f"{relative(path)} ({folder_of(path)}) includes {quoted} ({target})"
        )


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) == "include"], ids=relative)
def test_public_headers_need_the_standard_library_alone(path):
    for quoted, angled in INCLUDE.findall(path.read_text(encoding="utf-8")):
        assert angled.startswith("rlcompress/") or STANDARD.fullmatch(angled), (
            f"{relative(path)} includes {quoted or angled}"
        )


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) != "bindings"], ids=relative)
def test_only_the_bindings_know_python(path):
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"pybind11|\bPy[A-Z_]\w*|Python\.h|numpy/", text)
    assert not found, f"{relative(path)} speaks Python: {found[:3]}"


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) != "bindings"], ids=relative)
def test_the_core_neither_throws_nor_prints_nor_aborts(path):
    code = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
    found = re.findall(r"\bthrow\b|\babort\s*\(|\bassert\s*\(|\bprintf\s*\(|std::c(?:out|err)\b|<iostream>", code)
    assert not found, f"{relative(path)}: return a Status instead of {found[:3]}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".inl"], ids=relative)
def test_kernels_name_no_processor(path):
    code = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
    found = re.findall(r"\b(?:__)?asm(?:__)?\b|\b_mm\d*_\w+|\bv(?:ld|st)1q?_\w+|__builtin_(?:ia32|neon)_\w+", code)
    assert not found, f"{relative(path)}: {found[:3]} belongs in targets/ or behind a macro of kernels/table.hpp"


@pytest.mark.parametrize("registry", sorted(CPP.rglob("*.def")), ids=relative)
def test_a_registry_is_the_only_list_of_its_entries(registry):
    names = set(
        re.findall(
            r"^\s*RLCOMPRESS_\w+\((?:\d+, )?(\w+)(?:, \w+)?\)", registry.read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert len(names) >= 2, f"{relative(registry)}: entries are written as RLCOMPRESS_<KIND>(name)"
    for path in text_files():
        if (
            path == registry
            or path.suffix == ".md"
            or not relative(path).startswith(("src/", "python/", "CMake", "cmake/", "tests/cpp/"))
        ):
            continue
        words = set(re.findall(r"\b\w+\b", path.read_text(encoding="utf-8")))
        assert not words >= names, (
            f"{relative(path)} spells out every entry of {relative(registry)}: read the list instead"
        )


def test_every_target_is_listed_with_its_file():
    listed = re.findall(
        r"RLCOMPRESS_TARGET\((\w+), (\w+)\)", (CPP / "targets" / "targets.def").read_text(encoding="utf-8")
    )
    files = {path.stem: path.read_text(encoding="utf-8") for path in (CPP / "targets").glob("*.cpp")}
    assert set(files) == {file for _, file in listed}
    for name, file in listed:
        assert f"table_{name} =" in files[file], f"targets/{file}.cpp: the table of {name} expected"


def test_no_target_flags_in_the_build():
    for path in [ROOT / "CMakeLists.txt", *ROOT.glob("cmake/*")]:
        assert not re.search(r"-m(avx|fma|arch|cpu|fpu)|/arch:", path.read_text(encoding="utf-8")), (
            f"{relative(path)}: target regions are pragmas"
        )
