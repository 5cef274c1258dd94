"""Labels meet the outputs that stand for them, whatever the data lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver

import rlcompress as rlc
from rlcompress.errors import InvalidValueError

NAMES = np.array(["cat", "dog", "eel", "fox"])
STEPS = rlc.NEON(max_drop=0.5, moves=1, steps=5)


def named(count: int = 600, keep=None):
    """A network that knows its classes, rows, and labels as text."""
    x, y = labelled(count)
    net = solver()
    names = NAMES[: net.output_size]
    net = net.with_metadata(classes=names.tolist())
    kept = slice(None) if keep is None else np.isin(y, keep)
    return net, x[kept], y[kept], names


def score(task, net):
    return task.score(net, "final", 0, task.count("final")).mean


def test_text_is_numbered_as_the_network_does_even_where_a_class_is_absent():
    net, x, y, names = named(keep=[0, *list(range(2, solver().output_size))])
    task = rlc.DatasetTask(x, names[y])
    with pytest.raises(InvalidValueError, match="for_network"):
        task.check(net)
    fitted = task.for_network(net)
    fitted.check(net)
    assert np.array_equal(fitted.y, y)
    assert fitted.for_network(net) is fitted
    found = rlc.compress(net, task, STEPS, jobs=1)
    truth = rlc.compress(net, rlc.DatasetTask(x, y), STEPS, jobs=1)
    assert found.teacher.mean == truth.teacher.mean
    assert replace(fitted, seed=1).classes == tuple(names)


def test_a_class_that_the_network_does_not_know_is_refused():
    net, x, y, _names = named()
    other = np.array(["cat", "dog", "gnu", "fox"])[y]
    if "gnu" not in other:
        other[0:20] = "gnu"
    with pytest.raises(InvalidValueError, match="does not know the class 'gnu'; its classes are cat, dog"):
        rlc.compress(net, rlc.DatasetTask(x, other), STEPS, jobs=1)


def test_labels_that_a_network_without_names_cannot_tell_are_refused_and_classes_helps():
    net, x, y, names = named(keep=[0, *list(range(2, solver().output_size))])
    bare = replace(net, metadata={})
    with pytest.raises(InvalidValueError, match="say what each output stands for"):
        rlc.DatasetTask(x, names[y]).check(bare)
    task = rlc.DatasetTask(x, names[y], classes=names)
    task.check(bare)
    assert np.array_equal(task.y, y)
    with pytest.raises(InvalidValueError, match="one of the classes a, b"):
        rlc.DatasetTask(x, names[y], classes=["a", "b"])


def test_indices_without_names_stand_as_they_are():
    net, x, y, _ = named()
    task = rlc.DatasetTask(x, y)
    assert task.for_network(net) is task
    with pytest.raises(InvalidValueError, match=r"searchsorted\(classifier.classes_, y\)"):
        rlc.DatasetTask(x, y + 1).check(net)


def test_files_are_read_by_the_networks_classes_and_found_again(tmp_path):
    net, x, y, names = named(keep=[0, *list(range(2, solver().output_size))])
    path = tmp_path / "rows.npz"
    np.savez(path, x=x, y=names[y])
    task = rlc.DatasetTask.from_file(path).for_network(net)
    assert np.array_equal(task.y, y)
    assert rlc.DatasetTask.from_description(task.describe()).digest == task.digest
    first = rlc.compress(net, rlc.DatasetTask.from_file(path), STEPS, jobs=1, run_dir=tmp_path / "run")
    assert rlc.resume(tmp_path / "run").best == first.best


def test_numbers_that_do_not_start_at_zero_are_numbered_when_a_file_has_as_many_as_outputs(tmp_path):
    net, x, y, _ = named()
    path = tmp_path / "rows.npz"
    np.savez(path, x=x, y=y + 1)
    bare = replace(net, metadata={})
    task = rlc.DatasetTask.from_file(path).for_network(bare)
    task.check(bare)
    assert np.array_equal(task.y, y)
    counted = bare.with_metadata(classes=[int(label) + 1 for label in range(net.output_size)])
    assert np.array_equal(rlc.DatasetTask.from_file(path).for_network(counted).y, y)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        (lambda y: np.eye(y.max() + 1)[y], r"one-hot: give y.argmax\(1\)"),
        (lambda y: y[:, None], r"y.ravel\(\)"),
        (lambda y: np.where(np.arange(len(y)) == 7, np.nan, y), "nan in row 7"),
        (lambda y: np.array([None if i == 5 else "a" for i in range(len(y))], object), "None in row 5"),
        (lambda y: y - 1, "searchsorted"),
    ],
)
def test_targets_of_another_form_get_a_remedy(targets, match):
    x, y = labelled(100)
    with pytest.raises(InvalidValueError, match=match):
        rlc.DatasetTask(x, targets(y))


def test_classes_numbered_anew_leave_every_row_in_its_pool():
    rng = np.random.default_rng(0)
    x = np.arange(300, dtype=np.float32)[:, None]
    labels = rng.choice(["9", "10", "11"], 300)
    task = rlc.DatasetTask(x, labels)
    renumbered = task.with_classes(["10", "11", "9"])
    names = np.array(renumbered.classes)
    for pool in ("data", "search", "screen", "accept", "final"):
        before = task.training_rows if pool == "data" else task.rows(pool)
        after = renumbered.training_rows if pool == "data" else renumbered.rows(pool)
        assert np.array_equal(before.x, after.x)
        assert np.array_equal(names[after.y], labels[after.x[:, 0].astype(int)])
