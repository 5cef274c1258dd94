"""Files of labelled rows, good and bad."""

from __future__ import annotations

import gzip
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError, MissingExtraError, MissingFileError


def test_npz_with_a_test_pair(tmp_path):
    x = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 1, 2, 1], x_test=x[:2], y_test=[2, 0])
    data = rlc.load_data(tmp_path / "a.npz")
    assert np.array_equal(data.x, x.astype(np.float32) / np.float32(255))
    assert data.test is not None
    assert data.test.y.tolist() == [2, 0]
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "tsv.gz"])
def test_tables(tmp_path, ending):
    mark = "\t" if "tsv" in ending else ","
    text = "\n".join(mark.join(row) for row in (["a", "Class", "b"], ["1", "yes", "2.5"], ["3", "no", "-4"])) + "\n"
    path = tmp_path / f"t.{ending}"
    if ending.endswith("gz"):
        with gzip.open(path, "wt") as file:
            file.write(text)
    else:
        path.write_text(text)
    data = rlc.load_data(path)
    assert data.x.tolist() == [[1, 2.5], [3, -4]]
    assert data.y.tolist() == [1, 0]
    assert (data.classes, data.columns) == (("no", "yes"), ("a", "b"))


def test_half_a_test_pair_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=[0, 1, 0, 1], x_test=np.zeros((2, 2)))
    with pytest.raises(InvalidValueError, match=r"x_test has no partner: x_test and y_test or X_test and y_test"):
        rlc.load_data(tmp_path / "a.npz")


def test_one_hot_rows_are_told_what_to_do(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.eye(3, dtype=np.int64))
    with pytest.raises(InvalidValueError, match=r"y: one class a row expected, found shape \(3, 3\); .*argmax"):
        rlc.load_data(tmp_path / "a.npz")
    assert rlc.load_data(tmp_path / "a.npz", kind="values").y.shape == (3, 3)


@pytest.mark.parametrize(("first", "inputs"), [(("0", "1", "2"), 1), (("7", "3", "5"), 1), (("1", "1", "2"), 2)])
def test_the_index_that_pandas_writes_is_no_input(tmp_path, first, inputs):
    path = tmp_path / "t.csv"
    path.write_text(",width,y\n" + "".join(f"{row},{row}.5,{index % 2}\n" for index, row in enumerate(first)))
    data = rlc.load_data(path)
    assert data.x.shape == (3, inputs)
    assert data.columns[-1] == "width"


def test_a_table_without_names_and_the_target_by_number(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("0.5,1,7\n1.5,0,8\n")
    assert rlc.load_data(path, target=1).y.tolist() == [1, 0]
    last = rlc.load_data(path)
    assert last.x.tolist() == [[0.5, 1], [1.5, 0]]
    values = rlc.load_data(path, target=0)
    assert values.y.dtype == np.float32
    assert values.classes == ()


def test_class_numbers_that_are_no_indices_become_some(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,-1\n2,1\n3,-1\n")
    data = rlc.load_data(path)
    assert (data.y.tolist(), data.classes) == ([0, 1, 0], ("-1", "1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none found"),
        ("a,target\n", "rows below the names"),
        ("a,target\n1,0\n2\n", "row 3: 2 cells"),
        ("a,target\nx,0\n2,1\n", "row 2, column a: a number expected, found 'x'"),
        ("a,target\n1,0\n,1\n", "row 3, column a: a number expected, found nothing"),
        ("a,target\n1,0\n3,\n", "row 3: the target is missing"),
        ("a,target\nnan,0\n3,1\n", "finite"),
        ("target\n1\n", "beside the target"),
    ],
)
def test_broken_tables_are_refused_by_row_and_column(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match=message):
        rlc.load_data(path)


def test_a_missing_target_column_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,0\n")
    with pytest.raises(InvalidValueError, match="columns a, b expected, found 'c'"):
        rlc.load_data(path, target="c")


@pytest.mark.parametrize(
    ("top", "inputs"),
    [
        ("0,1,2,3", ("0", "1", "2")),
        ("0,1,2,label", ("0", "1", "2")),
        ("a,1,2,found", ("a", "1", "2")),
        ("0,target,1,2", ("0", "1", "2")),
        ("0;1;2;3", ("0", "1", "2")),
    ],
)
def test_counted_columns_and_text_above_the_target_are_names(tmp_path, top, inputs):
    mark = ";" if ";" in top else ","
    body = "".join(mark.join(row) + "\n" for row in (("0.5", "1", "2", "0"), ("1.5", "0", "3", "1")))
    (tmp_path / "t.csv").write_text(f"{top}\n{body}")
    data = rlc.load_data(tmp_path / "t.csv")
    assert (data.columns, len(data.x)) == (inputs, 2)


def test_short_rows_of_whole_numbers_are_values(tmp_path):
    (tmp_path / "t.csv").write_text("0,1\n1,0\n0,0\n")
    assert rlc.load_data(tmp_path / "t.csv").y.tolist() == [1, 0, 0]


def test_the_target_as_a_number_in_text(tmp_path):
    (tmp_path / "t.csv").write_text("1,2.5,3.5\n0,1.5,2.5\n")
    assert rlc.load_data(tmp_path / "t.csv", target="0").y.tolist() == [1, 0]
    with pytest.raises(InvalidValueError, match="columns 0 to 2, as it has no row of names, expected, found 'c'"):
        rlc.load_data(tmp_path / "t.csv", target="c")
    with pytest.raises(InvalidValueError, match="from -3 to 2 expected, found 3"):
        rlc.load_data(tmp_path / "t.csv", target="3")


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "p.npz", x=np.array([{"a": 1}], dtype=object), y=np.array([1]))
    with pytest.raises(InvalidValueError, match="plain arrays"):
        rlc.load_data(tmp_path / "p.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_broken_npz_files_are_refused(tmp_path, content):
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(InvalidValueError, match="plain arrays"):
        rlc.load_data(tmp_path / "b.npz")


def test_other_array_names_are_refused(tmp_path):
    np.savez(tmp_path / "n.npz", data=np.zeros((2, 2)))
    with pytest.raises(InvalidValueError, match="found data"):
        rlc.load_data(tmp_path / "n.npz")


def test_unknown_sources(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        rlc.load_data(tmp_path / "none.npz")
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(InvalidValueError, match=r"ending in \.npz"):
        rlc.load_data(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValueError, match="one folder of images per class"):
        rlc.load_data(tmp_path / "empty")


def test_folders_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = {"cat": [10, 20], "dog": [30]}
    for name, values in pixels.items():
        (tmp_path / name).mkdir()
        for index, value in enumerate(values):
            image.fromarray(np.full((2, 3), value, np.uint8)).save(tmp_path / name / f"{index}.png")
    data = rlc.load_data(tmp_path)
    assert data.x.shape == (3, 1, 2, 3)
    assert np.allclose(data.x[:, 0, 0, 0] * 255, [10, 20, 30])
    assert (data.y.tolist(), data.classes) == ([0, 0, 1], ("cat", "dog"))
    image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "dog" / "z.png")
    with pytest.raises(InvalidValueError, match=r"z\.png: \(3, 2\) pixels expected"):
        rlc.load_data(tmp_path)
    (tmp_path / "dog" / "z.png").write_bytes(b"no image")
    with pytest.raises(InvalidValueError, match=r"z\.png: an image expected"):
        rlc.load_data(tmp_path)


def test_sets_of_scikit_learn():
    pytest.importorskip("sklearn")
    data = rlc.load_data("iris")
    assert data.x.shape == (150, 4)
    assert data.classes[0] == "setosa"
    assert rlc.load_data("diabetes").y.dtype == np.float32


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"rlcompress\[data\]"):
        rlc.load_data("iris")


def test_a_class_without_images_leaves_the_numbers_of_the_others(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for index in range(10):
        (tmp_path / f"c{index}").mkdir()
    for index in (8, 9):
        image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / f"c{index}" / "one.png")
    data = rlc.load_data(tmp_path)
    assert [data.classes[index] for index in data.y] == ["c8", "c9"]


def test_images_of_more_than_8_bits_are_refused(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "a").mkdir()
    image.fromarray(np.full((2, 2), 4000, np.uint16)).save(tmp_path / "a" / "deep.png")
    with pytest.raises(InvalidValueError, match=r"deep\.png: at most 8 bits a channel"):
        rlc.load_data(tmp_path)


@pytest.mark.parametrize("told", [{"target": "y"}, {"kind": "values"}])
def test_folders_of_images_take_no_other_targets(tmp_path, told):
    with pytest.raises(InvalidValueError, match="leave target and kind out"):
        rlc.load_data(tmp_path, **told)


@pytest.mark.parametrize(
    ("name", "kind", "classes"),
    [("iris", "values", ()), ("iris", "auto", ("setosa", "virginica")), ("diabetes", "classes", ("0", "1"))],
)
def test_named_sets_have_the_kind_that_is_asked_for(monkeypatch, name, kind, classes):
    bunch = SimpleNamespace(data=np.eye(4), target=np.array([0, 1, 0, 1]), feature_names=list("abcd"))
    if name == "iris":
        bunch.target_names = ["setosa", "virginica"]
    datasets = SimpleNamespace(**{f"load_{name}": lambda: bunch})
    monkeypatch.setattr("rlcompress.tasks.named_data.require", lambda _: datasets)
    data = rlc.load_data(name, kind=kind)
    assert (data.classes, data.y.dtype.kind) == (classes, "i" if classes else "f")
