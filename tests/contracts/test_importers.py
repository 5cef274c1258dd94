"""What every entry of the importers' registry keeps."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from rlcompress.errors import ImportFormatError, InvalidValueError, MissingFileError, RlcompressError
from rlcompress.importers import FORMATS, Format, ImportOptions, load_policy

FILES = [entry for entry in FORMATS if entry.suffixes]


def test_names_and_suffixes_are_unique() -> None:
    assert len({entry.name for entry in FORMATS}) == len(FORMATS)
    suffixes = [suffix for entry in FORMATS for suffix in entry.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_takes_files_or_objects(entry: Format) -> None:
    assert bool(entry.suffixes) != (entry.accepts is not None)
    assert entry.accepts is None or not entry.accepts(object())


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_loader_has_the_common_signature(entry: Format) -> None:
    module, _, function = entry.loader.partition(":")
    loader = getattr(importlib.import_module(module), function)
    assert list(inspect.signature(loader).parameters) == ["source", "options"]
    assert inspect.getdoc(loader)


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry.name)
@pytest.mark.parametrize("content", [b"", b"\0", b"junk" * 1000, bytes(5000)], ids=["empty", "nul", "junk", "zeros"])
def test_hostile_files_are_typed_errors_that_name_the_file(entry: Format, content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / f"a{entry.suffixes[0]}"
    path.write_bytes(content)
    with pytest.raises(RlcompressError):
        load_policy(path)


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry.name)
def test_missing_file_is_a_typed_error(entry: Format, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="gone"):
        load_policy(tmp_path / f"gone{entry.suffixes[0]}")


@pytest.mark.parametrize("source", ["policy.xyz", "policy", Path("a.pkl"), 5, None, object(), b"PK"])
def test_unknown_sources_list_the_known_ones(source: object) -> None:
    with pytest.raises(ImportFormatError) as caught:
        load_policy(source)
    for entry in FORMATS:
        assert entry.description in str(caught.value)


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry.name)
def test_files_carry_their_own_contract(entry: Format, tmp_path: Path) -> None:
    from rlcompress.contract import Contract

    with pytest.raises(InvalidValueError, match="contract"):
        load_policy(tmp_path / f"a{entry.suffixes[0]}", contract=Contract((1,)))


def test_options_are_immutable() -> None:
    with pytest.raises(AttributeError):
        ImportOptions().action_range = (0, 1)  # type: ignore[misc]


def test_registry_needs_no_optional_dependency() -> None:
    code = (
        "import sys, rlcompress.importers; "
        "print([m for m in ('torch', 'gymnasium', 'stable_baselines3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
