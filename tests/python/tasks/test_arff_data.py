"""ARFF files, good and bad."""

from __future__ import annotations

import gzip

import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError, UnsupportedError

HEAD = """% a comment
@relation 'toy set'

@ATTRIBUTE width NUMERIC
@attribute 'the \\'colour' {red, 'light, green', blue}
@attribute grade {2, 5}
@attribute Class {no,yes}
@attribute last real
@DATA
"""
ROWS = "1.5, red, 5, yes, 7\n% between\n-2,'light, green',2,no,8e1\n3,blue,5,yes,9\n"


@pytest.mark.parametrize("ending", ["arff", "arff.gz"])
def test_a_file(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(gzip.compress((HEAD + ROWS).encode()) if ending.endswith("gz") else (HEAD + ROWS).encode())
    data = rlc.load_data(path)
    assert data.columns == ("width", "the 'colour", "grade", "last")
    assert data.x.tolist() == [[1.5, 0, 5, 7], [-2, 1, 2, 80], [3, 2, 5, 9]]
    assert (data.classes, data.y.tolist()) == (("no", "yes"), [1, 0, 1])
    values = rlc.load_data(path, target="last", kind="values")
    assert values.y.tolist() == [7, 80, 9]
    assert values.x[:, 3].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "1,red,5,yes\n", r"line 10: 5 cells expected, found 4"),
        (HEAD + "x,red,5,yes,1\n", r"data row 1, column width: a number expected, found 'x'"),
        (HEAD + ROWS + "1,pink,5,yes,1\n", r"data row 4, column the 'colour: one of red.* found 'pink'"),
        (HEAD + "?,red,5,yes,1\n", r"data row 1, column width: a value expected"),
        (HEAD + "1,red,5,?,1\n", r"data row 1: the target is missing"),
        ("@relation r\n@attribute a real\n@attribute b real\n@data\n", "none found"),
        ("a,b\n1,2\n", r"line 1: @attribute or @data expected"),
        ("@attribute a\n@data\n1\n", r"line 1: @attribute NAME TYPE expected"),
        ("@attribute a real\n@data\n1\n", "at least one column beside the target"),
        (HEAD + "1,red,5,yes,inf\n", "finite"),
    ],
)
def test_what_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "t.arff"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match=message):
        rlc.load_data(path)


@pytest.mark.parametrize("kind", ["string", "date 'yyyy'"])
def test_text_columns_are_not_supported(tmp_path, kind):
    path = tmp_path / "t.arff"
    path.write_text(f"@attribute a {kind}\n@attribute y {{0,1}}\n@data\nred,0\nblue,1\n")
    with pytest.raises(UnsupportedError, match="column a"):
        rlc.load_data(path)


def test_sparse_rows_are_not_supported(tmp_path):
    path = tmp_path / "t.arff"
    path.write_text(HEAD + "{0 1.5, 3 yes}\n")
    with pytest.raises(UnsupportedError, match="sparse"):
        rlc.load_data(path)
