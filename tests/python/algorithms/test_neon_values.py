"""NEON on tasks of values: what a drop is measured in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rlcompress as rlc

pytest.importorskip("torch")

from rlcompress.algorithms.neon import NEON  # torch first: the module needs it
from rlcompress.algorithms.neon.anatomy import dissect
from rlcompress.algorithms.neon.scene import scene_of
from rlcompress.problem import Problem

SCALE = np.array([1000.0, 1.0], np.float32)


def two_outputs(width: int = 40) -> tuple[rlc.Network, rlc.DatasetTask]:
    """A teacher without error of two outputs of very different units; half of its neurons serve each."""
    rng, half = np.random.default_rng(0), width // 2
    first = np.zeros((width, 6), np.float32)
    first[:half, :2], first[half:, 2:] = rng.standard_normal((half, 2)), rng.standard_normal((half, 4))
    last = np.zeros((2, width), np.float32)
    last[0, :half], last[1, half:] = rng.standard_normal(half), rng.standard_normal(half)
    layers = (
        rlc.Dense(first, np.zeros(width, np.float32), "relu"),
        rlc.Dense(last * SCALE[:, None], np.zeros(2, np.float32)),
    )
    network = rlc.Network(layers, rlc.Contract((6,)))
    x = rng.standard_normal((2000, 6)).astype(np.float32)
    return network, rlc.DatasetTask(x, np.asarray(rlc.Runtime(network)(x)), metric="squared_error", validation=0.5)


def per_output(network: rlc.Network, pair: Any) -> Any:
    """(outputs,) share of each output's variance that is lost."""
    errors = np.square(np.asarray(rlc.Runtime(network)(pair.x)) - pair.y)
    return errors.mean(0) / pair.y.var(0)


def test_no_output_is_lost_behind_one_of_larger_units() -> None:
    network, task = two_outputs()
    found = rlc.compress(network, task, NEON(max_drop=0.05, mode="ladder", moves=3, steps=300), jobs=1)
    assert found.best_candidate is not None, found.notes
    lost = per_output(found.best, task.rows("final"))
    assert lost.max() <= 0.15
    assert lost.mean() == pytest.approx(1 - found.best_candidate.mean, rel=0.3)


def test_each_output_is_judged_in_shares_of_its_own_variance() -> None:
    network, task = two_outputs()
    scene = scene_of(Problem(network, task, 0))
    hidden, last = network.dense_layers()
    without = network.with_layers([hidden, replace(last, weight=last.weight * np.array([[1], [0]], np.float32))])
    values, _ = scene.values(without, scene.testing)
    error = np.square(scene.testing.y[:, 1].astype(np.float64) - last.bias[1]) / scene.lessons.labels[:, 1].var()
    assert values == pytest.approx(-error / 2, rel=1e-4)


def test_neurons_and_inputs_of_every_output_are_kept() -> None:
    network, task = two_outputs()
    anatomy = scene_of(Problem(network, task, 0)).anatomy
    assert 5 <= (anatomy.rankings[0].order[:20] >= 20).sum() <= 15
    assert (anatomy.input_order[:3] >= 2).any()
    rows = np.asarray(task.x[:200], np.float32)
    assert not (dissect(network, rows).input_order[:2] >= 2).any()  # without units the larger output takes all


def test_an_output_that_never_changes_is_measured_in_its_own_size() -> None:
    network, task = two_outputs()
    still = np.array(task.y)
    still[:, 1] = 0.1  # float32: the sum of equal values rounds, so that their variance is not 0
    scene = scene_of(Problem(network, replace(task, y=still), 0))
    assert scene.units[1] == pytest.approx(0.01)
