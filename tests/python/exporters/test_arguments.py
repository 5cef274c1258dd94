"""What `export` refuses before it writes anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rlcompress as rlc
from rlcompress.contract import Contract, clip_to
from rlcompress.errors import InvalidValueError, MissingFileError, UnsupportedError
from rlcompress.exporters import export
from rlcompress.layers import Dense
from rlcompress.network import Network

NETWORK = Network((Dense([[1.0]], [0.0]),))


@pytest.mark.parametrize("source", [None, 5, object(), b"RLC"])
def test_a_source_of_another_kind_is_refused_with_what_helps(source: Any, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidValueError, match=r"source: a Network or .*found builtins\..*rlcompress\.from_torch\(module\)"
    ):
        export(source, "c", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    wrong: Any = 5
    with pytest.raises(InvalidValueError, match="name: text or None expected, found 5"):
        export(NETWORK, "c", tmp_path, name=wrong)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MissingFileError, match=r"out: a folder that can be made expected, found '.*file/below': Not a"):
        export(NETWORK, "c", tmp_path / "file" / "below")


def test_an_out_that_is_no_path_is_refused() -> None:
    wrong: Any = None
    with pytest.raises(InvalidValueError, match="out: the path of a folder or file expected, found None"):
        export(NETWORK, "c", wrong)


def test_a_head_that_scikit_learn_has_not_is_refused() -> None:
    network = replace(NETWORK, contract=Contract((1,), clip_to([-1], [1])))
    with pytest.raises(UnsupportedError, match="a raw or argmax head expected, found clip"):
        rlc.to_sklearn(network, like=None)
