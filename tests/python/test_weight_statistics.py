"""Statistics of weights to the bit, and counts per threshold, against NumPy on every target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlcompress import kernels
from rlcompress.errors import InvalidValueError
from rlcompress.ranking import counts_at_least, weight_statistics

VALUES = st.one_of(st.sampled_from([0.0, -0.0, 1e-45, 1.0, -1.0, float("inf")]), st.floats(width=32, allow_nan=False))
WEIGHTS = st.lists(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, min_side=0, max_side=9), elements=VALUES), max_size=5
)


@pytest.fixture(params=kernels.targets())
def target(request):
    with kernels.forced_target(request.param) as name:
        yield name


def canonical_statistics(weight: np.ndarray) -> tuple[float, float]:
    """Mean and deviation in the documented order of operations."""

    def chained(terms: np.ndarray) -> float:
        rows = np.zeros((-(-terms.size // 32), 32))
        rows.reshape(-1)[: terms.size] = terms
        chain = np.zeros(32)
        for row in rows:
            chain = chain + row
        for h in (16, 8, 4, 2, 1):
            chain = chain[:h] + chain[h : 2 * h]
        return float(chain[0])

    mean = squares = 0.0
    flat = weight.reshape(-1).astype(np.float64)
    for first in range(0, flat.size, 4096):
        part = flat[first : first + 4096]
        total = chained(part)
        own = chained((part - total / part.size) ** 2)
        share = part.size / (first + part.size)
        difference = total / part.size - mean
        mean += difference * share
        squares += own + difference * difference * (first * share)
    return mean, float(np.sqrt(squares / flat.size)) if flat.size else 0.0


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 1000, 4095, 4096, 4097, 10_000])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_weight_statistics_to_the_bit(target, size, offset):
    weight = (np.random.default_rng(size).normal(0, 0.05, size) + offset).astype(np.float32)
    (found,) = weight_statistics([weight])
    assert (found.mean, found.std) == canonical_statistics(weight)
    assert found.largest == np.abs(weight).max(initial=0)
    assert found.size == size
    if size:
        assert found.mean == pytest.approx(weight.mean(dtype=np.float64), rel=1e-12, abs=1e-15)
        assert found.std == pytest.approx(weight.std(dtype=np.float64), rel=1e-12, abs=1e-15)


def test_statistics_of_extreme_weights(target):
    low, high = (np.array([value, value], np.float32) for value in (1e-45, -3.4e38))
    first, second, third = weight_statistics([low, high, np.array([-1e-45, 3.4e38], np.float32)])
    assert (first.mean, first.std, first.largest) == (float(low[0]), 0.0, float(low[0]))
    assert (second.mean, second.std, second.largest) == (float(high[0]), 0.0, float(-high[0]))
    assert third.std == pytest.approx(1.7e38, rel=1e-6)
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(InvalidValueError, match=r"weights\[1\].*flat index 2"):
            weight_statistics([low, np.array([0, 1, value], np.float32)])


@settings(max_examples=60, deadline=None)
@given(
    weights=WEIGHTS,
    thresholds=st.lists(
        st.one_of(st.sampled_from([0.0, 1e-45, 1.0, float("inf")]), st.floats(0, width=32)), max_size=6
    ),
)
def test_counts_at_least_equal_plain_counts(weights, thresholds):
    bounds = np.array(thresholds, np.float32)
    wanted = [[int((np.abs(weight) >= bound).sum()) for bound in bounds] for weight in weights]
    for name in kernels.targets():
        with kernels.forced_target(name):
            for given_bounds in (thresholds, np.tile(bounds, (len(weights), 1))):
                found = counts_at_least(weights, given_bounds)
                assert found.dtype == np.int64
                assert found.shape == (len(weights), len(thresholds))
                assert found.tolist() == wanted


def test_counts_over_several_blocks(target):
    weights = [np.random.default_rng(n).normal(size=n).astype(np.float32) for n in (4096, 4097, 30_001)]
    bounds = np.abs(np.random.default_rng(4).normal(size=(3, 23))).astype(np.float32)
    found = counts_at_least(weights, bounds)
    assert np.array_equal(found, [[(np.abs(w) >= t).sum() for t in row] for w, row in zip(weights, bounds)])
