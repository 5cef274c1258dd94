"""Schedules and choices of masks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcompress.errors import InvalidValueError
from rlcompress.training.importance import Importance
from rlcompress.training.mask_search import MaskSearch, Schedule

torch = pytest.importorskip("torch")

SHAPES = ((6, 5), (4, 6), (3, 4))
SIZES = [30, 24, 12]
NAMES = ("a", "b", "c")


def search(target, schedule=Schedule(), held=None):  # noqa: B008
    return MaskSearch(NAMES, SIZES, target, schedule, held or [torch.ones(shape, dtype=torch.bool) for shape in SHAPES])


def drawn(seed: int):
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(shape, generator=generator) for shape in SHAPES]
    curvature = [torch.rand(shape, generator=generator) for shape in SHAPES]
    gradient = [torch.randn(shape, generator=generator) for shape in SHAPES]
    masks = [torch.rand(shape, generator=generator) < 0.7 for shape in SHAPES]
    return [w * m for w, m in zip(weights, masks)], masks, Importance(curvature, [0 * w for w in weights], gradient)


def total(masks) -> int:
    return sum(int(mask.sum()) for mask in masks)


@given(st.floats(0, 1), st.floats(0.001, 0.999), st.floats(0, 1), st.floats(0, 1))
def test_density_falls_to_its_target(start, final, ramp, progress):
    schedule = Schedule(start=start, ramp=ramp)
    here = schedule.density(progress, final)
    assert final <= here <= max(final, 1 - start) + 1e-12
    assert schedule.density(1.0, final) == final
    assert schedule.density(min(1.0, progress + 0.1), final) <= here + 1e-12


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.integers(3, 40), st.floats(0, 1))
def test_the_number_kept_is_what_the_schedule_says(seed, target, progress):
    weights, masks, seen = drawn(seed)
    found = search(target)
    after = found.change(progress, weights, masks, seen)
    assert total(after) == min(found.counts(progress), sum(SIZES))
    assert all(mask.any() for mask in after)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_a_split_is_kept_by_layer(seed, progress):
    weights, masks, seen = drawn(seed)
    found = search({"a": 7, "b": 5, "c": 2})
    assert found.counts(1.0) == [7, 5, 2]
    after = found.change(1.0, weights, masks, seen)
    assert [int(mask.sum()) for mask in after] == [7, 5, 2]
    assert all(low <= high for low, high in zip([7, 5, 2], found.counts(progress)))


def test_the_cheapest_go_and_the_most_promising_come():
    weights, masks, seen = drawn(3)
    after = search(20).change(1.0, weights, masks, seen)
    costs = torch.cat([c.flatten() for c in seen.cost(weights)])
    assert torch.cat([mask.flatten() for mask in after]).nonzero()[:, 0].tolist() == sorted(
        costs.topk(20).indices.tolist()
    )
    grown = search(20, Schedule(regrow=0.5, regrow_until=1.0, ramp=0.0)).change(0.0, weights, masks, seen)
    kept = costs.topk(10).indices
    gains = torch.cat([g.flatten() for g in seen.gain()])
    gains[kept] = 0
    chosen = torch.cat([mask.flatten() for mask in grown]).nonzero()[:, 0].tolist()
    assert chosen == sorted([*kept.tolist(), *gains.topk(10).indices.tolist()])


def test_what_is_worth_nothing_makes_room():
    weights, masks, seen = drawn(4)
    seen.curvature[1][:] = 0
    after = search(20, Schedule(regrow=0.3, floor=0)).change(1.0, weights, masks, seen)
    chosen_for_cost = [(c > 0) & m for c, m in zip(seen.cost(weights), after)]
    assert not chosen_for_cost[1].any()
    assert total(after) == 20


def test_a_layer_that_is_worth_nothing_keeps_its_floor():
    weights, masks, seen = drawn(4)
    for part in (seen.curvature[2], seen.gradient[2]):
        part[:] = 0
    masks[2][:] = True
    after = search(20, Schedule(floor=3)).change(1.0, weights, masks, seen)
    assert [int(after[2].sum()), total(after)] == [3, 20]


def test_weights_held_at_zero_never_come_back():
    weights, masks, seen = drawn(5)
    held = [torch.ones(shape, dtype=torch.bool) for shape in SHAPES]
    held[0][:3] = False
    found = search(30, Schedule(regrow=0.9, regrow_until=1.0, ramp=0.0), held)
    assert not found.change(0.0, weights, masks, seen)[0][:3].any()


def test_magnitudes_only_shrink_the_masks():
    weights, masks, _ = drawn(6)
    after = search(15, Schedule(importance="magnitude")).change(1.0, weights, masks, None)
    assert total(after) == 15
    assert all(not (a & ~m).any() for a, m in zip(after, masks))


@pytest.mark.parametrize(
    ("name", "value"),
    [("start", 1.5), ("ramp", -0.1), ("regrow", 2.0), ("refresh_steps", 0), ("rows", 0), ("importance", "luck")],
)
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InvalidValueError, match=name):
        Schedule(**{name: value})
