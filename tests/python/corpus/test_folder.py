"""Data sets of a folder."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from rlcompress.corpus.folder import data_set, data_set_files, data_sets
from rlcompress.errors import InvalidValueError, MissingFileError

ROWS = np.random.default_rng(0).normal(size=(300, 2))


def test_a_folder_of_tables(tables) -> None:
    folder = tables(plane=(ROWS, ROWS.sum(1)), signs=(ROWS, ROWS[:, 0] > 0))
    with gzip.open(folder / "more.tsv.gz", "wt") as file:
        file.write("a\tclass\n1\tyes\n2\tno\n3\tyes\n")
    found = {entry.name: entry for entry in data_sets(folder)}
    assert list(found) == ["more", "plane", "signs"]
    assert found["plane"].metric == "squared_error"
    assert found["signs"].metric == found["more"].metric == "accuracy"
    assert found["more"].y.tolist() == [1, 0, 1]
    assert found["plane"].columns == ("plane0", "plane1")


def test_values_are_cut_at_their_mean_when_asked(tables) -> None:
    skewed = np.exp(ROWS[:, 0])
    folder = tables(plane=(ROWS, skewed))
    cut = data_set(folder / "plane.csv", binarise="mean")
    assert cut.metric == "accuracy"
    assert cut.y.tolist() == (skewed > skewed.mean()).astype(int).tolist()
    with pytest.raises(InvalidValueError, match="median"):
        data_set(folder / "plane.csv", binarise="median")  # type: ignore[arg-type]


def test_many_whole_numbers_are_values(tables) -> None:
    counts = np.arange(300) * 7
    folder = tables(counts=(ROWS, counts), few=(ROWS, np.arange(300) % 7))
    assert [entry.metric for entry in data_sets(folder)] == ["squared_error", "accuracy"]
    assert data_set(folder / "counts.csv").y.tolist() == counts.tolist()


def test_classes_are_numbered_from_0_without_gaps(tables) -> None:
    labels = np.array([1, 2, 5])[np.arange(300) % 3]
    found = data_set(tables(one=(ROWS, labels)) / "one.csv")
    assert found.y.tolist() == (np.arange(300) % 3).tolist()
    assert found.classes == ("1", "2", "5")


def test_targets_must_vary(tables) -> None:
    folder = tables(flat=(ROWS, np.full(300, 2.5)))
    with pytest.raises(InvalidValueError, match=r"flat\.csv.*varies"):
        data_sets(folder)


def test_folders_that_hold_no_sets(tmp_path, tables) -> None:
    with pytest.raises(MissingFileError, match="nonesuch"):
        data_set_files(tmp_path / "nonesuch")
    with pytest.raises(InvalidValueError, match="found none"):
        data_set_files(tmp_path)
    folder = tables(a=(ROWS, ROWS[:, 0] > 0))
    (folder / "a.tsv").write_text("x\ty\n1\t0\n")
    with pytest.raises(InvalidValueError, match="several called a"):
        data_set_files(folder)
