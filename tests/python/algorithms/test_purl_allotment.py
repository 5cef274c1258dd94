from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlcompress.algorithms.purl.allotment import allotment, scaled_to
from rlcompress.algorithms.purl.distortion import additive_plan, probes
from rlcompress.algorithms.purl.journal import empty_journal
from rlcompress.algorithms.purl.proposals import neighbours, random_plans, refined_plans
from rlcompress.errors import InvalidValueError
from rlcompress.ranking import kept_at_most

SIZES = st.lists(st.integers(1, 5000), min_size=1, max_size=12)


@given(SIZES, st.floats(0, 0.999), st.data())
def test_the_total_is_met_to_the_weight(sizes, sparsity, data):
    allowed = allotment(sizes, sparsity, 0.0)
    logs = np.array(data.draw(st.lists(st.floats(-20, 3), min_size=len(sizes), max_size=len(sizes))))
    plan = allowed.project(logs)
    assert sum(plan) == allowed.total
    assert all(1 <= kept <= size for kept, size in zip(plan, sizes))
    if allowed.feasible:
        assert allowed.sparsity(plan) >= sparsity - 1e-9


@given(SIZES, st.floats(0, 0.99))
def test_equal_logarithms_give_equal_densities(sizes, sparsity):
    allowed = allotment(sizes, sparsity, 0.0)
    plan = allowed.project(np.zeros(len(sizes)))
    free = [kept / size for kept, size in zip(plan, sizes) if 1 < kept < size]
    assert not free or max(abs(one - (1 - sparsity)) * size for one, size in zip(free, sizes)) <= sum(sizes)
    assert sum(plan) == allowed.total


def test_ceilings_hold_what_was_pruned_before():
    allowed = allotment((100, 100), 0.5, 0.0, ceilings=(30, 100))
    assert allowed.project(np.zeros(2)) == (30, 70)


def test_floors_that_leave_too_much_are_said():
    allowed = allotment((100, 100), 0.95, 0.1)
    assert not allowed.feasible
    assert allowed.project(np.zeros(2)) == (10, 10)
    assert not allowed.meets((10, 10)), "what was asked counts, not what the floors leave"


def test_a_plan_that_rounds_below_the_share_still_meets_it():
    allowed = allotment((1000, 9), 0.9, 0.0)
    plan = allowed.project(np.zeros(2))
    assert allowed.meets(plan)
    assert sum(plan) == kept_at_most(1009, 0.9) == 100


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_promised_share_is_kept_to_the_weight(count, share):
    kept = kept_at_most(count, share)
    assert count * (1 - share) - 1 - 1e-9 <= kept <= count * (1 - share) + 1e-6


@pytest.mark.parametrize("bad", [{"sparsity": 1.5}, {"min_keep": -0.1}, {"sizes": ()}])
def test_bad_targets_are_refused(bad):
    with pytest.raises(InvalidValueError):
        allotment(**{"sizes": (10,), "sparsity": 0.5, "min_keep": 0.0, **bad})


@given(st.data())
def test_a_plan_on_the_grid_is_full_and_within_the_total(data):
    sizes = data.draw(st.lists(st.integers(5, 200), min_size=1, max_size=4))
    levels = [sorted({1, *data.draw(st.lists(st.integers(1, size), max_size=8)), size}) for size in sizes]
    allowed = allotment(sizes, data.draw(st.floats(0, 0.9)), 0.0, levels=levels)
    plan = allowed.project(np.array(data.draw(st.lists(st.floats(-5, 0), min_size=len(sizes), max_size=len(sizes)))))
    assert all(kept in row for kept, row in zip(plan, levels))
    assert sum(plan) <= allowed.total
    assert allowed.meets(plan) == allowed.feasible
    for layer, row in enumerate(levels):
        above = [count for count in row if count > plan[layer]]
        assert not above or sum(plan) - plan[layer] + above[0] > allowed.total


def test_the_additive_plan_is_the_best_of_all_sums():
    sizes = (40, 60, 20)
    allowed = allotment(sizes, 0.6, 0.0)
    tables = probes(allowed, sizes, 5)
    weights = (3.0, 1.0, 5.0)
    scores = {sizes: 0.0}
    for layer, table in enumerate(tables):
        for plan in table:
            scores[plan] = -weights[layer] * (1 - plan[layer] / sizes[layer]) ** 2
    found = additive_plan(allowed, sizes, tables, scores)
    assert sum(found) == allowed.total
    counts = [sorted({plan[layer] for plan in table} | {sizes[layer]}) for layer, table in enumerate(tables)]

    def worth(plan):
        return sum(-w * (1 - k / s) ** 2 for w, k, s in zip(weights, plan, sizes))

    best = max((plan for plan in itertools.product(*counts) if allowed.meets(plan)), key=worth)
    assert worth(found) >= worth(best) - 1e-9, "the remainder of the budget is spent on top of the best sum"


def test_proposals_are_new_feasible_and_follow_from_the_journal_alone():
    allowed = allotment((400, 300, 50), 0.8, 0.01)
    plans = random_plans(allowed, 10, np.random.default_rng(0), set())
    journal = empty_journal(3).with_plans(plans, np.arange(10.0).tolist(), "random")
    first = refined_plans(journal, allowed, 0.3, 8, np.random.default_rng(5))
    assert first == refined_plans(journal, allowed, 0.3, 8, np.random.default_rng(5))
    assert len(set(first)) == 8
    assert not set(first) & set(plans)
    assert all(sum(plan) == allowed.total for plan in first)


def test_neighbours_on_the_grid_are_within_two_levels():
    levels = [list(range(10, 101, 10))] * 2
    allowed = allotment((100, 100), 0.5, 0.0, levels=levels)
    journal = empty_journal(2).with_plans([(50, 50)], [1.0], "random")
    found = neighbours(journal, allowed, 100)
    assert (60, 40) in found
    assert (70, 50) not in found
    assert all(abs(a - 50) <= 20 and abs(b - 50) <= 20 and a + b <= 100 for a, b in found)


def test_the_ranking_is_by_score_then_size_then_age():
    journal = empty_journal(2).with_plans([(5, 5), (4, 5), (3, 6), (9, 9)], [1.0, 1.0, 1.0, 2.0], "random")
    allowed = allotment((10, 10), 0.5, 0.0)
    assert journal.ranking(allowed) == [1, 2, 0]
    assert [journal.plan(at) for at in journal.front()] == [(9, 9), (4, 5)]
    assert journal.best(allowed) == 0, "of equal scores the one that keeps more of what the budget allows"


def test_plans_that_the_judge_failed_on_are_not_ranked():
    journal = empty_journal(2).with_plans([(5, 5), (4, 5)], [float("-inf"), -3.0], "random")
    allowed = allotment((10, 10), 0.5, 0.0)
    assert journal.ranking(allowed) == [1]
    assert journal.within(allowed) == [0, 1]
    assert journal.best(allotment((10, 10), 0.9, 0.0)) is None


@given(SIZES.filter(lambda sizes: sum(sizes) > len(sizes)), st.data())
def test_scaling_reaches_every_total(sizes, data):
    total = data.draw(st.integers(len(sizes), sum(sizes)))
    logs = np.array(data.draw(st.lists(st.floats(-3, 0), min_size=len(sizes), max_size=len(sizes))))
    assert sum(scaled_to(logs, sizes, sizes, [1] * len(sizes), total)) == total
