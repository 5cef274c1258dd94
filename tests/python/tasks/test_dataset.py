"""Row by row scores against plain NumPy; disjoint pools; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcompress as rlc
from rlcompress.engine.registry import build_task
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.problem import SPLITS, Task, UniformActor


def rows(count: int = 400, classes: int = 3, width: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, width)).astype(np.float32), rng.integers(0, classes, count)


def linear(width: int = 5, outputs: int = 3, head=rlc.Raw(), seed: int = 1) -> rlc.Network:  # noqa: B008
    rng = np.random.default_rng(seed)
    layer = rlc.Dense(rng.standard_normal((outputs, width)), rng.standard_normal(outputs))
    return rlc.Network((layer,), rlc.Contract((width,), head))


def logits(network: rlc.Network, x):
    (layer,) = network.layers
    return x.astype(np.float64) @ layer.weight.T.astype(np.float64) + layer.bias


def test_it_is_a_task():
    assert isinstance(rlc.DatasetTask(*rows()), Task)


@pytest.mark.parametrize("head", [rlc.Raw(), rlc.Argmax()])
def test_accuracy_is_correctness_per_row(head):
    task, network = rlc.DatasetTask(*rows()), linear(head=head)
    task.check(network)
    for split in SPLITS:
        x, y = task.rows(split)
        score = task.score(network, split, 3, 9)
        assert np.array_equal(score.values, (logits(network, x).argmax(1) == y)[3:12])


def test_squared_error_is_negative_and_a_mean_over_outputs():
    x, _ = rows()
    y = np.stack([x[:, 0], x[:, 1] * 2], axis=1)
    task, network = rlc.DatasetTask(x, y, metric="squared_error"), linear(outputs=2)
    task.check(network)
    held, wanted = task.rows("accept")
    expected = -((logits(network, held) - wanted) ** 2).mean(1)
    assert np.allclose(task.score(network, "accept", 0, task.count("accept")).values, expected, rtol=1e-5)
    with pytest.raises(InvalidValueError, match="argmax"):
        task.check(linear(outputs=2, head=rlc.Argmax()))


@settings(deadline=None, max_examples=30)
@given(st.integers(200, 600), st.integers(2, 5), st.floats(0.1, 0.9), st.integers(0, 1000))
def test_pools_are_disjoint_complete_and_balanced(count, classes, share, seed):
    x = np.arange(count, dtype=np.float32)[:, None]
    y = np.random.default_rng(seed).integers(0, classes, count)
    y[:classes] = np.arange(classes)
    task = rlc.DatasetTask(x, y, validation=share, seed=seed)
    pools = [task.training_rows.x, *(task.rows(split).x for split in SPLITS)]
    assert np.array_equal(np.sort(np.concatenate(pools).ravel()), x.ravel())
    assert abs(len(task.training_rows.x) - (1 - share) * count) <= 4
    for index in range(classes):
        here, total = int((task.training_rows.y == index).sum()), int((y == index).sum())
        assert abs(here - (1 - share) * total) <= 4


def test_a_test_set_serves_the_final_split_alone():
    x, y = rows()
    xt, yt = rows(50, seed=9)
    task = rlc.DatasetTask(x, y, test=(xt, yt))
    assert np.array_equal(task.rows("final").x, xt)
    assert sum(task.count(split) for split in SPLITS[:-1]) + len(task.training_rows.x) == len(x)


def test_visits_give_training_rows_and_wrap_around():
    task = rlc.DatasetTask(*rows(40))
    x = task.training_rows.x
    batch = task.visit(linear(), 0, len(x) + 3, seed=0)
    assert np.array_equal(batch.observations, np.concatenate([x, x[:3]]))
    assert batch.scores.shape == (len(x) + 3,)
    assert task.visit(UniformActor(), 2, 4, seed=0).scores.size == 0


def test_images_are_flattened_by_the_contract():
    x = np.random.default_rng(0).integers(0, 255, (60, 2, 3), np.uint8)
    task = rlc.DatasetTask(x, np.arange(60) % 3)
    assert task.x.max() <= 1
    network = linear(width=6)
    task.check(network)
    assert task.score(network, "screen", 0, 2).count == 2


def test_a_split_gives_no_row_twice():
    task = rlc.DatasetTask(*rows())
    with pytest.raises(InvalidValueError, match=r"split final holds \d+ rows"):
        task.score(linear(), "final", 0, task.count("final") + 1)


def test_resume_reads_the_file_again(tmp_path):
    x, y = rows()
    path = tmp_path / "data.npz"
    np.savez(path, x=x, y=y)
    task = rlc.DatasetTask.from_file(path, seed=3)
    again = build_task(task.describe())
    assert again.describe() == task.describe()
    assert np.array_equal(again.rows("accept").x, task.rows("accept").x)
    np.savez(path, x=x + 1, y=y)
    with pytest.raises(CheckpointError, match="changed"):
        build_task(task.describe())


def test_rows_given_as_arrays_must_be_given_again():
    x, y = rows()
    task = rlc.DatasetTask(x, y)
    with pytest.raises(CheckpointError, match="given as arrays"):
        build_task(task.describe())
    assert rlc.DatasetTask(x.copy(), y.copy()).describe() == task.describe()
    assert rlc.DatasetTask(x + 1, y).describe() != task.describe()


def broken(change):
    x, y = rows(30)
    return change(x.copy(), y.copy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:, 0], y), "at least one row"),
        (lambda x, y: (x[:0], y[:0]), "at least one row"),
        (lambda x, y: (x, y[:-1]), "same number of rows"),
        (lambda x, y: (np.where(x > 1, np.nan, x), y), "finite"),
        (lambda x, y: (x, y * 0), "two classes"),
        (lambda x, y: (x, y - 1), "class indices"),
        (lambda x, y: (x, y + 0.5), "squared_error"),
        (lambda x, y: (x[:5], y[:5]), "too few"),
        (lambda x, y: (x, np.where(np.arange(len(y)) == 7, 9, y)), "found one of class 9"),
        (lambda x, y: (x.astype(str), y), "numbers expected"),
    ],
)
def test_bad_rows_are_refused(change, message):
    with pytest.raises(InvalidValueError, match=message):
        rlc.DatasetTask(*broken(change))


def test_networks_that_do_not_fit_are_refused():
    task = rlc.DatasetTask(*rows())
    with pytest.raises(InvalidValueError, match="rows of 5 values"):
        task.check(linear(width=4))
    with pytest.raises(InvalidValueError, match="3 outputs needed"):
        task.check(linear(outputs=2))


@pytest.mark.parametrize(("name", "value"), [("metric", "f1"), ("validation", 0.0), ("validation", 1.0)])
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InvalidValueError, match=name):
        rlc.DatasetTask(*rows(), **{name: value})


def test_constant_values_are_refused():
    x, _ = rows()
    with pytest.raises(InvalidValueError, match="varies"):
        rlc.DatasetTask(x, np.full((len(x), 2), 1.5), metric="squared_error")


def test_balanced_accuracy_weighs_classes_alike():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2000, 5)), (rng.random(2000) < 0.1).astype(int)
    task = rlc.DatasetTask(x, y)
    constant = rlc.Network((rlc.Dense(np.zeros((2, 5)), np.array([1, 0])),))
    assert task.score(constant, "final", 0, task.count("final")).mean > 0.85
    assert task.balanced_accuracy(constant, "final") == 0.5
    network = linear(outputs=2, head=rlc.Argmax())
    rows_x, rows_y = task.rows("screen")
    right = logits(network, rows_x).argmax(1) == rows_y
    assert np.isclose(
        task.balanced_accuracy(network, "screen"), np.mean([right[rows_y == label].mean() for label in (0, 1)])
    )
    with pytest.raises(InvalidValueError, match="squared_error"):
        rlc.DatasetTask(x, x[:, 0], metric="squared_error").balanced_accuracy(network, "final")


def test_one_output_is_told_how_to_go_on():
    with pytest.raises(InvalidValueError, match=r"metric='squared_error'.*rlc.two_outputs"):
        rlc.DatasetTask(*rows(classes=2)).check(linear(outputs=1))
    with pytest.raises(InvalidValueError, match=r"found one of class .* if y holds values, say metric='squared_error'"):
        rlc.DatasetTask(rows()[0], np.arange(400) * 1_000_000_000)


def test_classes_numbered_from_1_are_told_with_the_remedy() -> None:
    x = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
    network = rlc.Network((rlc.Dense(np.ones((3, 2)), np.zeros(3)),), rlc.Contract((2,), rlc.Argmax()))
    y = np.arange(90) % 3 + 1
    with pytest.raises(InvalidValueError, match=r"4 outputs needed, the network gives 3; classes 1 to 3 .*from 0"):
        rlc.DatasetTask(x, y).check(network)
    rlc.DatasetTask(x, np.unique(y, return_inverse=True)[1]).check(network)
