"""One version everywhere, and an installed package that is complete."""

from __future__ import annotations

import importlib.metadata
import re
from importlib.resources import files

import pytest

import rlcompress
from architecture.source_tree import PACKAGE, ROOT
from rlcompress import kernels

PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def project_version() -> str:
    found = re.search(r'^version = "([^"]+)"', PROJECT, re.MULTILINE)
    assert found
    return found.group(1)


def test_one_version_everywhere():
    header = (ROOT / "src/cpp/include/rlcompress/version.hpp").read_text(encoding="utf-8")
    assert f'#define RLCOMPRESS_VERSION "{project_version()}"' in header
    assert rlcompress.__version__ == project_version()
    assert kernels.__version__ == project_version()
    assert importlib.metadata.version("rlcompress") == project_version()


def test_the_changelog_knows_the_version():
    assert f"## [{project_version()}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_installed_package_is_the_one_under_test():
    installed = str(files("rlcompress"))
    assert installed != str(PACKAGE), (
        "the tests run on the installed package: pip install . first, and leave python/ off the path"
    )


@pytest.mark.parametrize("name", ["py.typed", "_core.pyi"])
def test_types_are_installed(name):
    assert files("rlcompress").joinpath(name).is_file()


def test_the_installed_package_has_every_module_of_the_tree():
    missing = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if not files("rlcompress").joinpath(*path.relative_to(PACKAGE).parts).is_file()
    ]
    assert not missing, f"not installed: {missing}"


def test_constraints_pin_every_dependency():
    pinned = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    }
    named = set()
    for requirement in importlib.metadata.requires("rlcompress") or []:
        name, _, marker = requirement.partition(";")
        extra = re.search(r"extra == ['\"]([a-z]+)['\"]", marker)
        if extra is None or extra.group(1) in ("train", "test"):
            named.add(re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ]", name.strip())[0]).lower())
    assert named, "no requirements found"
    assert not named - pinned, f"pin these in constraints.txt: {sorted(named - pinned)}"


def test_the_readme_and_the_ci_run_the_same_test_command():
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("this tree is a source distribution, which leaves .ci out")
    command = script.read_text(encoding="utf-8").splitlines()[-1]
    assert command.startswith("python3 -m venv .venv && ")
    assert command.endswith("-m pytest -n 2 --dist loadfile tests")
    for document in ("README.md", "CONTRIBUTING.md"):
        assert command in (ROOT / document).read_text(encoding="utf-8").splitlines(), (
            f"{document} has another test command"
        )
