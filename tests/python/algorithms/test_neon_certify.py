from __future__ import annotations

import numpy as np
import pytest

from rlcompress.algorithms.neon.certify import (
    balanced,
    balanced_drops,
    level_of,
    next_test,
    paired,
    quantile,
    spread,
    standard_error,
    z_of_balanced,
    z_of_test,
)
from rlcompress.algorithms.neon.choosing import Seen, chances, even_chances, plan_tests

EVEN = np.zeros(1), np.zeros(1)


def rows(count: int, teacher: float, lost: float, won: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of a teacher and a candidate that loses and wins these shares of the rows."""
    rng = np.random.default_rng(seed)
    draw = rng.random(count)
    values = (rng.random(count) < teacher).astype(np.float64)
    other = np.where(draw < lost, 0.0, np.where(draw > 1 - won, 1.0, values))
    return np.where(draw < lost, 1.0, np.where(draw > 1 - won, 0.0, values)), other


def test_the_bound_is_the_one_of_discordant_pairs() -> None:
    teacher, candidate = rows(1000, 0.9, 0.03, 0.02, 0)
    lost, won = (teacher > candidate).sum(), (candidate > teacher).sum()
    verdict = paired(teacher, candidate, True, 1.645, 0.01)
    error = np.sqrt(lost + won - (lost - won) ** 2 / 1000 + 1) / 1000
    assert verdict.drop == pytest.approx((lost - won) / 1000)
    assert verdict.bound == pytest.approx(verdict.drop + 1.645 * error, rel=1e-3)


def test_equal_answers_on_few_rows_prove_nothing() -> None:
    same = np.ones(50)
    assert not paired(same, same, True, 1.645, 0.01).accepted
    assert paired(np.ones(500), np.ones(500), True, 1.645, 0.01).accepted


def test_balanced_accuracy_sees_a_lost_small_class() -> None:
    classes = np.repeat([0, 1], [950, 50])
    teacher, candidate = np.ones(1000), np.where((classes == 1) & (np.arange(1000) % 5 == 0), 0.0, 1.0)
    assert paired(teacher, candidate, True, 1.0, 0.02).accepted
    verdict = balanced(teacher, candidate, classes, 1.0, 0.02)
    assert verdict.drop == pytest.approx(0.1)
    assert not verdict.accepted


def test_balanced_drops_are_means_over_classes_with_doubt_of_each() -> None:
    rng = np.random.default_rng(1)
    classes = np.repeat([1, 4, 7], [600, 60, 7])
    differences = rng.choice([-1.0, 0.0, 1.0], (5, 667), p=[0.1, 0.7, 0.2])
    drops, errors = balanced_drops(differences, classes)
    for row, drop, error in zip(differences, drops, errors):
        parts = [row[classes == label] for label in (1, 4, 7)]
        doubts = [standard_error(part.mean(), spread(part, True), len(part)) for part in parts]
        assert drop == pytest.approx(np.mean([part.mean() for part in parts]))
        assert error == pytest.approx(np.sqrt(np.sum(np.square(doubts))) / 3)


def test_what_is_asked_of_balanced_accuracy_goes_from_nothing_to_proof() -> None:
    assert [z_of_balanced(even, 1.645) for even in ("ignored", "kept", "proven")] == [None, 0.0, 1.645]
    nothing = np.zeros(3)
    seen = Seen(
        nothing, nothing, np.ones(3), np.ones(3, bool), np.arange(3), np.array([0.0, 0.01, 0.2]), np.full(3, 0.01)
    )
    kept, proven = (even_chances(seen, 500, 1000, 0.01, z) for z in (0.0, 1.645))
    assert kept[1] == pytest.approx(0.5)
    assert kept[0] > 0.7
    assert kept[2] < 1e-6
    assert (proven <= kept).all()


@pytest.mark.parametrize(("tests", "chain"), [(1, 1), (4, 4), (5, 4), (6, 4), (3, 1)])
def test_the_error_is_shared_out_once(tests: int, chain: int) -> None:
    whole = level_of(1.645)
    spent = level_of(z_of_test(1.645, tests, chain, 0))
    reserves = [level_of(z_of_test(1.645, tests, chain, position)) for position in range(chain, tests)]
    assert spent + sum(reserves) == pytest.approx(whole)
    assert {z_of_test(1.645, tests, chain, position) for position in range(chain)} == {
        z_of_test(1.645, tests, chain, 0)
    }
    assert quantile(0.0) == np.inf


def test_a_series_ends_at_the_first_failure_of_its_chain() -> None:
    assert next_test(0, 0, []) is None
    assert next_test(6, 4, []) == 0
    assert next_test(6, 4, [True, True]) == 2
    assert next_test(6, 4, [True, False]) is None
    assert next_test(6, 4, [True] * 4) is None
    assert next_test(6, 4, [False]) == 4
    assert next_test(6, 4, [False, False]) == 5
    assert next_test(6, 4, [False, True]) is None


def test_a_series_of_networks_over_the_tolerance_is_rarely_accepted() -> None:
    """Six tests of networks that lose 1.5 points each, 1 point allowed: at most one series in twenty may accept any."""
    rng, wrong, tries, count = np.random.default_rng(3), 0, 1500, 800
    for _ in range(tries):
        passed: list[bool] = []
        while (position := next_test(6, 4, passed)) is not None:
            outcome = rng.choice([1.0, -1.0, 0.0], count, p=[0.045, 0.03, 0.925])
            z = z_of_test(1.645, 6, 4, position)
            passed.append(
                outcome.mean() + z * np.sqrt(spread(outcome, True) - outcome.mean() ** 2) / count**0.5 <= 0.01
            )
        wrong += any(passed)
    assert wrong / tries <= 0.05


def test_chances_foretell_how_often_a_candidate_passes() -> None:
    seen = Seen(np.array([-0.004]), np.array([0.04]), np.array([3.0]), np.array([True]), np.zeros(1, np.int64), *EVEN)
    rng, passes = np.random.default_rng(0), []
    for _ in range(4000):
        true = -0.004 + 0.2 / 600**0.5 * rng.standard_normal()
        drop = true + 0.2 / 1200**0.5 * rng.standard_normal()
        passes.append(drop + 1.645 * 0.2 / 1200**0.5 <= 0.01)
    assert chances(seen, 600, 1200, 0.01, 1.645)[0] == pytest.approx(np.mean(passes), abs=0.03)


def test_unsound_and_larger_candidates_have_no_chance_and_are_not_tested() -> None:
    gains, sound = np.array([2.0, -1.0, 3.0]), np.array([False, True, True])
    seen = Seen(np.array([-0.1, -0.1, 0.2]), np.full(3, 0.05), gains, sound, np.arange(3), *EVEN)
    chance = chances(seen, 500, 500, 0.01, 1.645)
    assert chance[:2].tolist() == [0, 0]
    assert plan_tests(seen, chance) == ([], 0)


def test_a_plan_goes_from_the_best_prospect_to_smaller_ones_and_keeps_larger_ones_for_last() -> None:
    gains = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    chance = np.array([0.99, 0.95, 0.85, 0.3, 0.05])
    order, chain = plan_tests(Seen(np.zeros(5), np.zeros(5), gains, np.ones(5, bool), np.arange(5), *EVEN), chance)
    assert order[0] == 2
    assert gains[order[:chain]].tolist() == sorted(gains[order[:chain]])
    assert all(gains[index] < gains[2] for index in order[chain:])
    assert len(order) > chain
