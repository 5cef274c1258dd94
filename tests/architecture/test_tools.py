"""The linters and type checkers that contributors run, with the project's settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.source_tree import ROOT, relative, text_files

CPP_FOLDERS = ("src/", "tests/cpp/", "tests/embed/", "examples/", "benchmarks/")


def tool(name: str) -> str:
    """Path of a tool of this environment; skips where the extra `test` is not installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with the extra 'test'")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} ...\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def test_ruff_check():
    run(tool("ruff"), "check", "--no-cache", ".")


def test_ruff_format():
    run(tool("ruff"), "format", "--no-cache", "--check", ".")


def test_mypy_strict(tmp_path):
    run(tool("mypy"), "--cache-dir", str(tmp_path))


def test_clang_format():
    if not (ROOT / ".clang-format").exists():
        pytest.fail("there is no .clang-format: the style would be clang-format's own")
    files = [
        relative(p)
        for p in text_files()
        if p.suffix in (".cpp", ".hpp", ".inl", ".h", ".c") and relative(p).startswith(CPP_FOLDERS)
    ]
    run(tool("clang-format"), "--dry-run", "--Werror", *files)
