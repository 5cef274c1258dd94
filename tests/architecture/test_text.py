"""What the project's text must not hold, and how long a file may be."""

from __future__ import annotations

import re

import pytest

from architecture.source_tree import ROOT, relative, text_files

MAXIMUM_LINES = 400
VAGUE = re.compile(r"(^|[/_])(utils?|helpers?|common|misc|managers?)([/_.]|$)")

# Put together at run time, so that this file does not hold them.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch", "org"), ("anaconda", "org"))
]
MACHINE_PATHS = [f"{ROOT.parent}/", "/".join(("..", "shared")), "/".join(("", "root", "")), "/".join(("", "home", ""))]
CODE = sorted(path for path in text_files() if path.suffix in (".py", ".pyi", ".cpp", ".hpp", ".inl", ".def"))


@pytest.mark.parametrize("needle", [*REGISTRY_HOSTS, *MACHINE_PATHS])
def test_no_machine_paths_and_no_registry_hosts(needle):
    if needle == "/":  # the tree lies in the file system's root
        return
    found = [relative(path) for path in text_files() if needle in path.read_text(encoding="utf-8")]
    assert not found, f"{needle!r} is in {found}"


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_file_length(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAXIMUM_LINES, (
        f"{relative(path)} has {lines} lines; above {MAXIMUM_LINES} it holds two ideas: split it"
    )


def test_no_vague_names():
    found = [relative(path) for path in text_files() if VAGUE.search(relative(path))]
    assert not found, f"name what these hold: {found}"


def test_no_pickle_is_loaded():
    allowed = {"python/rlcompress/importers/restricted_pickle.py"}
    risky = re.compile(r"\b(pickle|joblib|dill|cloudpickle)\.loads?\(|allow_pickle\s*=\s*True|weights_only\s*=\s*False")
    found = [
        relative(path)
        for path in text_files()
        if relative(path).startswith("python/")
        and relative(path) not in allowed
        and risky.search(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"a user's file may be hostile: {found}"
