from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.allocate import BASELINES, erk, floor_counts, global_magnitude, lamp, spread, uniform
from rlcompress.layerwise.prunable import PrunableLayer

SHAPES = st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple), min_size=1, max_size=6)


def layers_of(shapes, seed=0, held=False) -> list[PrunableLayer]:
    rng = np.random.default_rng(seed)
    found = []
    for index, shape in enumerate(shapes):
        weight = (rng.standard_normal(shape) * rng.uniform(0.1, 3)).astype(np.float32)
        mask = None
        if held:
            mask = rng.random(shape) < 0.7
            mask.reshape(-1)[0] = True
            weight = np.where(mask, weight, np.float32(0))
        found.append(PrunableLayer(f"layer{index}", "linear", weight, held=mask))
    return found


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.floats(0, 1), st.floats(0, 0.3), st.booleans(), st.integers(0, 99))
def test_every_baseline_meets_budget_and_bounds(shapes, sparsity, floor, held, seed) -> None:
    layers = layers_of(shapes, seed, held)
    floors, ceilings = floor_counts(layers, floor), [layer.ceiling for layer in layers]
    total = sum(layer.size for layer in layers)
    budget = total - round(sparsity * total)
    for baseline in BASELINES.values():
        if budget < sum(floors):
            with pytest.raises(InvalidValueError, match="floors"):
                baseline(layers, sparsity, floor)
            continue
        plan = baseline(layers, sparsity, floor)
        assert sum(plan.kept) == min(budget, sum(ceilings))
        assert all(low <= count <= top for low, count, top in zip(floors, plan.kept, ceilings))


def test_uniform_and_erk_by_hand() -> None:
    layers = layers_of([(10, 10), (10, 30), (2, 5)])
    assert uniform(layers, 0.9).kept == (10, 30, 1)
    # Densities in proportion to 20/100, 40/300, 7/10: counts 20, 40, 7 of 41.
    assert erk(layers, 0.9).kept == (12, 25, 4)
    # The last layer is full before the others: 10, and the rest 1 : 2.
    assert erk(layers, 0.5).kept == (65, 130, 10)


def test_global_is_a_global_argsort() -> None:
    layers = layers_of([(8, 9), (5, 4), (3, 3)], seed=3)
    flat = np.concatenate([np.abs(layer.weight).reshape(-1) for layer in layers])
    owner = np.repeat(np.arange(3), [layer.size for layer in layers])
    wanted = np.bincount(owner[np.argsort(-flat, kind="stable")[:60]], minlength=3)
    assert wanted.min() >= 1
    assert global_magnitude(layers, 1 - 60 / flat.size).kept == tuple(wanted)


def test_lamp_is_its_definition() -> None:
    layers = layers_of([(8, 9), (5, 4), (3, 3)], seed=4)
    scores, owner = [], []
    for index, layer in enumerate(layers):
        squares = np.square(layer.weight.reshape(-1).astype(np.float64))
        scores += [square / squares[squares >= square].sum() for square in squares]
        owner += [index] * layer.size
    wanted = np.bincount(np.array(owner)[np.argsort(-np.array(scores), kind="stable")[:30]], minlength=3)
    assert wanted.min() >= 1
    assert lamp(layers, 1 - 30 / len(scores)).kept == tuple(wanted)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.integers(0, 50), st.integers(0, 50)), min_size=1), st.floats(0, 1))
def test_spread_meets_any_budget_between_its_bounds(rows, place) -> None:
    shares, floors = [row[0] for row in rows], [row[1] for row in rows]
    ceilings = [row[1] + row[2] for row in rows]
    budget = round(sum(floors) + place * (sum(ceilings) - sum(floors)))
    counts = spread(shares, floors, ceilings, budget)
    assert sum(counts) == budget
    assert all(low <= count <= top for low, count, top in zip(floors, counts, ceilings))


@pytest.mark.parametrize(("sparsity", "floor"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), (0.5, 2), (0.5, -1)])
def test_settings_out_of_range(sparsity, floor) -> None:
    for baseline in BASELINES.values():
        with pytest.raises(InvalidValueError, match=r"sparsity|floor"):
            baseline(layers_of([(4, 4)]), sparsity, floor)
        with pytest.raises(InvalidValueError, match="layers"):
            baseline([], 0.5, 0.0)
