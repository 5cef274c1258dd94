"""Rows as frames, tensors and sparse matrices hold them."""

from __future__ import annotations

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError
from rlcompress.tasks.labelled import inputs
from rlcompress.tasks.plain_arrays import plain_array


def test_frames_of_numbers_truth_values_and_gaps():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.5, 2.5], "b": [True, False]})
    frame["c"] = pandas.array([3, 4], dtype="Int64")
    assert inputs(frame, "x").tolist() == [[1.5, 1, 3], [2.5, 0, 4]]
    frame["c"] = pandas.array([3, None], dtype="Int64")
    with pytest.raises(InvalidValueError, match="nan in row 1"):
        inputs(frame, "x")
    for column in (pandas.Series(["u", "v"]), pandas.Series([1, 2]).astype("category")):
        frame["job"] = column
        with pytest.raises(InvalidValueError, match="column 'job': numbers expected, found"):
            inputs(frame, "x")


def test_sparse_matrices_are_named():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InvalidValueError, match=r"sparse csr_.*x.toarray\(\)"):
        inputs(sparse.csr_matrix(np.eye(3)), "x")


def test_columns_of_text_are_named():
    with pytest.raises(InvalidValueError, match=r"column 1: numbers expected, found .*'u' in row 0"):
        inputs(np.array([[1.0, "u"], [2.0, "v"]], object), "x")
    with pytest.raises(InvalidValueError, match="column 1: numbers expected, found text such as 'u'"):
        inputs(np.array([[1.0, "u"], [2.0, "v"]]), "x")
    with pytest.raises(InvalidValueError, match="astype"):
        inputs(np.array([["1.0"], ["2.0"]]), "x")
    assert plain_array(np.array([[1, True], [2.5, None]], object), "x")[0].tolist() == [1, 1]


def test_tensors_with_gradients_are_detached():
    torch = pytest.importorskip("torch")
    x = torch.randn(80, 3, requires_grad=True)
    task = rlc.DatasetTask(x, torch.arange(80) % 2)
    assert np.array_equal(task.x, x.detach().numpy())


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_too_few_rows_are_told_how_many_would_do(share):
    x = np.arange(3000, dtype=np.float32)[:, None]
    with pytest.raises(InvalidValueError, match=r"too few.*give at least") as caught:
        rlc.DatasetTask(x[:4], np.arange(4) % 2, validation=share)
    enough = int(str(caught.value).split("at least ")[1].split(",")[0])
    for seed in range(20):
        rlc.DatasetTask(x[:enough], np.arange(enough) % 2, validation=share, seed=seed)
