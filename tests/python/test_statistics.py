from __future__ import annotations

import tracemalloc
from statistics import NormalDist

import numpy as np
import pytest

from rlcompress.errors import InvalidValueError
from rlcompress.statistics import (
    bootstrap_interval,
    episodes_needed,
    level_affordable,
    paired_interval,
    sequential_reject,
)


def test_bootstrap_interval_agrees_with_the_normal_interval_of_a_large_sample():
    values = np.random.default_rng(1).normal(100.0, 15.0, 400)
    lower, upper = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(values.size)
    assert lower == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert upper == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_bootstrap_interval_covers_the_true_mean_at_about_its_level():
    rng = np.random.default_rng(2)
    hits = 0
    for trial in range(300):
        lower, upper = bootstrap_interval(rng.exponential(1.0, 60), level=0.9, resamples=400, seed=trial)
        hits += lower <= 1.0 <= upper
    assert 0.83 <= hits / 300 <= 0.95


def test_bootstrap_interval_is_deterministic_and_depends_on_the_seed():
    values = np.random.default_rng(3).normal(size=50)
    assert bootstrap_interval(values, seed=5) == bootstrap_interval(values, seed=5)
    assert bootstrap_interval(values, seed=5) != bootstrap_interval(values, seed=6)


def test_a_wider_level_gives_a_wider_interval():
    values = np.random.default_rng(4).normal(size=50)
    narrow, wide = bootstrap_interval(values, level=0.8), bootstrap_interval(values, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_constant_and_single_values_give_an_interval_of_width_zero():
    assert bootstrap_interval([7.0] * 20) == (7.0, 7.0)
    assert bootstrap_interval([3.5]) == (3.5, 3.5)


def test_bootstrap_memory_is_bounded():
    values = np.arange(20_000, dtype=np.float64)
    bootstrap_interval(values, resamples=100)
    tracemalloc.start()
    bootstrap_interval(values, resamples=400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 2**20  # all draws at once would be 128 MB


def test_blocks_do_not_change_a_single_resample_count():
    values = np.random.default_rng(5).normal(size=3000)  # several blocks
    lower, upper = bootstrap_interval(values, resamples=1001)
    assert lower < values.mean() < upper


def test_paired_interval_is_far_narrower_when_scores_move_together():
    rng = np.random.default_rng(6)
    level = rng.normal(0.0, 100.0, 200)
    teacher, student = level, level - 1.0 + rng.normal(0.0, 1.0, 200)
    lower, upper = paired_interval(student, teacher)
    assert lower < -1.0 < upper
    assert upper - lower < 0.5
    assert (lower, upper) == bootstrap_interval(student - teacher)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.998])
def test_the_level_affordable_turns_episodes_needed_round(level: float) -> None:
    count = episodes_needed(std=30.0, margin=5.0, level=level)
    assert level_affordable(30.0, 5.0, count - 1) < level <= level_affordable(30.0, 5.0, count)
    assert level_affordable(30.0, 0.1, 4) == 0.0
    with pytest.raises(InvalidValueError, match="std, margin and count"):
        level_affordable(0.0, 5.0, count)


def test_episodes_needed_by_hand():
    # (1.95996 + 1.28155) ** 2 = 10.5074
    assert episodes_needed(std=1.0, margin=1.0) == 11
    assert episodes_needed(std=30.0, margin=5.0) == 379
    assert episodes_needed(std=0.0, margin=1.0) == 2
    assert episodes_needed(std=10.0, margin=1.0, power=0.5) == 385


def test_episodes_needed_reaches_the_power():
    std, margin = 20.0, 6.0
    count = episodes_needed(std, margin)
    rng = np.random.default_rng(7)
    means = rng.normal(margin, std, (4000, count)).mean(axis=1)
    accepted = np.mean(means - NormalDist().inv_cdf(0.975) * std / np.sqrt(count) > 0)
    assert 0.88 <= accepted <= 0.93


def test_sequential_reject():
    rng = np.random.default_rng(8)
    bad, good = rng.normal(0.0, 1.0, 40), rng.normal(10.0, 1.0, 40)
    assert sequential_reject(bad, bar=5.0)
    assert not sequential_reject(good, bar=5.0)
    assert not sequential_reject(bad[:7], bar=5.0)  # below the minimum
    assert not sequential_reject([], bar=5.0)
    assert sequential_reject([0.0] * 8, bar=0.1)
    assert not sequential_reject([0.0] * 8, bar=0.0)


def test_sequential_reject_seldom_drops_a_candidate_at_the_bar():
    rng = np.random.default_rng(9)
    dropped = np.mean([sequential_reject(rng.normal(0.0, 1.0, 30), bar=0.0) for _ in range(2000)])
    assert dropped < 0.02


@pytest.mark.parametrize(
    "call",
    [
        lambda: bootstrap_interval([]),
        lambda: bootstrap_interval([[1.0]]),
        lambda: bootstrap_interval([1.0, float("nan")]),
        lambda: bootstrap_interval([1.0, 2.0], level=1.0),
        lambda: bootstrap_interval([1.0, 2.0], resamples=10),
        lambda: paired_interval([1.0, 2.0], [1.0]),
        lambda: episodes_needed(std=-1.0, margin=1.0),
        lambda: episodes_needed(std=1.0, margin=0.0),
        lambda: episodes_needed(std=float("nan"), margin=1.0),
        lambda: episodes_needed(std=1.0, margin=1.0, power=1.0),
        lambda: episodes_needed(std=1.0, margin=1.0, level=0.0),
        lambda: sequential_reject([1.0] * 9, bar=0.0, z=0.0),
        lambda: sequential_reject([1.0] * 9, bar=0.0, minimum=1),
        lambda: sequential_reject([float("inf")] * 9, bar=0.0),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidValueError):
        call()
