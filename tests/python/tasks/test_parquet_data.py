"""Parquet files, good and bad."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError, MissingExtraError


def _write(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), path)
    return path


@pytest.mark.parametrize("ending", ["parquet", "pq"])
def test_a_file(tmp_path, ending):
    path = _write(
        tmp_path / f"t.{ending}", a=[1.5, -2.0, 3.0], label=["yes", "no", "yes"], flag=[True, False, True], n=[1, 2, 3]
    )
    data = rlc.load_data(path)
    assert data.columns == ("a", "flag", "n")
    assert data.x.tolist() == [[1.5, 1, 1], [-2, 0, 2], [3, 1, 3]]
    assert (data.classes, data.y.tolist()) == (("no", "yes"), [1, 0, 1])
    assert rlc.load_data(path, target="label").x.dtype == np.float32


def test_the_index_that_pandas_writes_is_no_input(tmp_path):
    data = rlc.load_data(_write(tmp_path / "t.parquet", a=[1.5, 2.5], kind=["x", "z"], __index_level_0__=[7, 3]))
    assert (data.columns, data.classes) == (("a",), ("x", "z"))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(InvalidValueError, match="column a: numbers expected, found string"):
        rlc.load_data(_write(tmp_path / "text.parquet", a=["x", "z"], y=[0, 1]))
    with pytest.raises(InvalidValueError, match="column a: a value in every row"):
        rlc.load_data(_write(tmp_path / "gaps.parquet", a=[1.0, None], y=[0, 1]))
    with pytest.raises(InvalidValueError, match="column y: a value in every row"):
        rlc.load_data(_write(tmp_path / "gap.parquet", a=[1.0, 2.0], y=[0, None]))
    with pytest.raises(InvalidValueError, match="beside the target"):
        rlc.load_data(_write(tmp_path / "narrow.parquet", y=[0, 1]))
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(InvalidValueError, match=r"junk\.parquet: a Parquet file expected"):
        rlc.load_data(tmp_path / "junk.parquet")


def test_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="data"):
        rlc.load_data(tmp_path / "t.parquet")
