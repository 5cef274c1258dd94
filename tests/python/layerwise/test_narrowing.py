"""Steps, observation and environment of narrowing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.random import default_rng

import rlcompress as rlc
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.layerwise.narrowing_state import MAX_LAYERS, OBSERVATION, ROW, neuron_statistics, observe
from rlcompress.layerwise.narrowing_step import NarrowingRules, by_norm, narrow, reinitialised, score_of
from rlcompress.layerwise.rewards import cubic_reward
from rlcompress.training.relearning import Relearning

pytest.importorskip("torch")
gymnasium = pytest.importorskip("gymnasium")
from rlcompress.layerwise.narrowing_env import NarrowingEnv  # noqa: E402  # needs Gymnasium

X = default_rng(0).normal(size=(1000, 3)).astype(np.float32)
TASK = rlc.DatasetTask(X, (X[:, 0] + X[:, 1] > 0).astype(np.int64), validation=0.5)
QUICK = NarrowingRules(passes=2, relearning=Relearning(2, 2, 32, 1e-2))


def network(*hidden: int, seed: int = 1) -> rlc.Network:
    rng = default_rng(seed)
    widths = (3, *hidden, 2)
    layers = [
        rlc.Dense(rng.normal(size=(o, i)) / i**0.5, rng.normal(size=o) / 4, "relu" if at < len(hidden) else "identity")
        for at, (i, o) in enumerate(pairwise(widths))
    ]
    return rlc.Network(tuple(layers), rlc.Contract((3,), rlc.Argmax()))


@pytest.mark.parametrize(
    ("removed", "change", "tolerance", "reward"),
    [
        (40, 0.1, 1, 64000),
        (40, 0, 1, 40),
        (30, -1, 1, 30),
        (30, -1.01, 1, -27000),
        (10, -0.01, 0, -1000),
        (20, -49, 50, 20),
        (0, 5, 1, 0),
        (0, -5, 1, 0),
    ],
)
def test_the_cubic_reward(removed: float, change: float, tolerance: float, reward: float) -> None:
    assert cubic_reward(removed, change, tolerance) == reward


def test_fresh_weights_touch_two_layers_alone() -> None:
    before = network(10, 8, 6)
    after = reinitialised(before, 1, 5, 0)
    assert after.widths == (3, 10, 5, 6, 2)
    assert after.layers[0] == before.layers[0]
    assert after.layers[3] == before.layers[3]
    for layer in after.layers[1:3]:
        assert np.abs(layer.weight).max() <= layer.in_features**-0.5
    assert after == reinitialised(before, 1, 5, 0) != reinitialised(before, 1, 5, 1)


def test_the_largest_neurons_stay() -> None:
    before = network(6, 4)
    norms = np.abs(before.layers[0].weight).sum(1)
    after = by_norm(before, 0, 3)
    kept = np.sort(np.argsort(-norms)[:3])
    assert np.array_equal(after.layers[0].weight, before.layers[0].weight[kept])
    assert np.array_equal(after.layers[1].weight, before.layers[1].weight[:, kept])


@pytest.mark.parametrize("mode", ["reinit", "l1"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_step_narrows_and_trains(mode, whole: bool) -> None:
    before = network(10, 9, seed=2)
    rules = NarrowingRules(mode=mode, whole=whole, relearning=Relearning(12, 10, 32, 1e-2))
    after = narrow(before, 0, 0.61, TASK, rules, 3)
    assert after.widths == (3, 7, 9, 2)  # rounded up
    assert (after.layers[2] == before.layers[2]) != whole
    assert score_of(after, TASK) > 70
    assert narrow(before, 0, 1.0, TASK, rules, 3) is before


def test_steps_out_of_range() -> None:
    with pytest.raises(InvalidValueError, match=r"0\.\.1"):
        narrow(network(4, 4), 2, 0.5, TASK, QUICK, 0)
    with pytest.raises(InvalidValueError, match="keep"):
        narrow(network(4, 4), 0, 0.0, TASK, QUICK, 0)
    for settings in ({"passes": 0}, {"tolerance": -1}, {"mode": "l2"}):
        with pytest.raises(InvalidValueError, match=next(iter(settings))):
            NarrowingRules(**settings)


def test_statistics_of_neurons() -> None:
    values = default_rng(2).gamma(2.0, size=(500, 3))
    found = neuron_statistics(values)
    centred = values - values.mean(0)
    np.testing.assert_allclose(found[2], (centred**3).mean(0) / values.std(0) ** 3)
    np.testing.assert_allclose(found[3], (centred**4).mean(0) / values.std(0) ** 4)
    np.testing.assert_allclose(found[4:6], [values.min(0), values.max(0)])
    np.testing.assert_allclose(found[6:], [np.abs(values).mean(0), np.sqrt((values**2).mean(0))])
    assert np.isfinite(neuron_statistics(np.ones((5, 2)))).all()


def test_the_observation_tells_layers_and_scale_apart() -> None:
    net = network(10, 8)
    first, second = (observe(net, layer, X) for layer in (0, 1))
    assert first.shape == (OBSERVATION,)
    rows = first.reshape(MAX_LAYERS + 1, ROW)
    assert np.array_equal(rows[-1], rows[0])
    assert np.array_equal(second.reshape(rows.shape)[-1], rows[1])
    assert np.array_equal(first[:-ROW], second[:-ROW])
    assert not rows[3:-1].any()
    np.testing.assert_allclose(rows[:3, 3], np.log1p([10, 8, 2]), rtol=1e-6)
    larger = net.with_layers([rlc.Dense(2 * net.layers[0].weight, net.layers[0].bias, "relu"), *net.layers[1:]])
    assert not np.allclose(observe(larger, 0, X), first)
    with pytest.raises(UnsupportedError, match="at most 10"):
        observe(network(*[3] * 10), 0, X)


def test_the_environment_is_one() -> None:
    import warnings

    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of advice on spaces; errors stay errors
        check_env(NarrowingEnv(network(5, 4), TASK, QUICK), skip_render_check=True)


def test_an_episode_visits_the_hidden_layers_in_turn() -> None:
    env = NarrowingEnv(network(10, 10), TASK, QUICK)
    env.reset(seed=7)
    visited, widths, ended = [], [], False
    while not ended:
        _, reward, ended, truncated, info = env.step(np.int64(4 if len(visited) != 1 else 0))
        visited.append(info["layer"])
        widths.append(info["widths"][1:-1])
        assert reward in (0, 40, 64000, -64000)
        assert not truncated
    assert visited == [0, 1, 0, 1]
    assert widths == [(6, 10), (6, 10), (4, 10), (4, 6)]
    assert info["ratio"] == env.original.parameter_count / info["network"].parameter_count
    assert info["change"] == score_of(info["network"], TASK) - score_of(env.original, TASK)
    with pytest.raises(InvalidValueError, match="over"):
        env.step(np.int64(0))
    first = info["network"]
    env.reset(seed=7)
    for action in (4, 0, 4, 4):
        info = env.step(np.int64(action))[4]
    assert info["network"] == first


def test_what_cannot_be_narrowed() -> None:
    with pytest.raises(UnsupportedError, match="hidden layer"):
        NarrowingEnv(network(), TASK)
    with pytest.raises(InvalidValueError, match="rows of 3 values"):
        NarrowingEnv(rlc.Network((rlc.Dense(np.ones((2, 5)), np.ones(2)),) * 1), TASK)
    env = NarrowingEnv(network(3, 3), TASK, QUICK)
    with pytest.raises(InvalidValueError, match="action"):
        env.step(np.int64(5))
