from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlcompress import kernels, magnitude_masks
from rlcompress.errors import InvalidValueError
from rlcompress.ranking import (
    counts_at_least,
    kept_count,
    magnitude_bitmasks,
    threshold_bitmask,
    threshold_mask,
    weight_statistics,
)

SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 1.0, -1.0, 3.4e38, float("inf"), float("-inf")]
VALUES = st.one_of(st.sampled_from(SPECIAL), st.floats(width=32, allow_nan=False))
WEIGHTS = st.lists(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9), elements=VALUES),
    max_size=5,
)


def oracle_masks(weights: list[np.ndarray], sparsity: float, scope: str) -> list[np.ndarray]:
    """Stable argsort of the magnitudes, largest first."""
    if scope == "layer":
        return [mask for weight in weights for mask in oracle_masks([weight], sparsity, "global")]
    flat = np.concatenate([np.abs(weight).reshape(-1) for weight in weights]) if weights else np.empty(0, np.float32)
    kept = flat.size - round(sparsity * flat.size)
    mask = np.zeros(flat.size, bool)
    mask[np.argsort(-flat, kind="stable")[:kept]] = True
    ends = np.cumsum([weight.size for weight in weights])[:-1] if weights else []
    return [part.reshape(weight.shape) for part, weight in zip(np.split(mask, ends), weights)]


def assert_same_masks(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted):
        assert left.dtype == np.bool_
        assert left.shape == right.shape
        assert np.array_equal(left, right)
        assert left.view(np.uint8).max(initial=0) <= 1


@pytest.fixture(params=kernels.targets())
def target(request):
    with kernels.forced_target(request.param) as name:
        yield name


@settings(max_examples=150, deadline=None)
@given(weights=WEIGHTS, sparsity=st.floats(0, 1), scope=st.sampled_from(["layer", "global"]))
def test_masks_equal_a_stable_argsort(weights, sparsity, scope):
    wanted = oracle_masks(weights, sparsity, scope)
    for name in kernels.targets():
        with kernels.forced_target(name):
            assert_same_masks(magnitude_masks(weights, sparsity, scope), wanted)


@pytest.mark.parametrize(
    "draw", ["normal", "uniform", "log", "few values", "constant", "mostly zero", "sorted", "outlier"]
)
@pytest.mark.parametrize("sparsity", [0.0, 0.01, 0.5, 0.9, 0.999, 1.0])
def test_large_arrays(target, draw, sparsity):
    rng = np.random.default_rng(11)
    sizes = [(100, 301), (70_001,), (3, 5, 7, 11), (0,)]
    weights = []
    for size in sizes:
        normal = rng.normal(0, 0.05, size).astype(np.float32)
        weights.append(
            {
                "normal": lambda w: w,
                "uniform": lambda w: rng.random(w.shape).astype(np.float32),
                "log": lambda w: np.exp(w * 300),
                "few values": lambda w: np.round(w * 40) / np.float32(40),
                "constant": lambda w: np.full_like(w, -0.25),
                "mostly zero": lambda w: np.where(np.abs(w) < 0.1, np.float32(0), w),
                "sorted": lambda w: np.sort(w, axis=None).reshape(w.shape),
                "outlier": lambda w: np.where(np.abs(w) > 0.19, np.float32(np.inf), np.float32(1e-42)),
            }[draw](normal)
        )
    for scope in ("layer", "global"):
        assert_same_masks(magnitude_masks(weights, sparsity, scope), oracle_masks(weights, sparsity, scope))


@pytest.mark.parametrize("size", [*range(0, 70), 255, 256, 257, 4095, 4096, 4097, 8193])
def test_every_tail_length(target, size):
    weight = np.random.default_rng(size).integers(-3, 4, size).astype(np.float32)
    for sparsity in (0.0, 0.3, 0.5, 1.0):
        assert_same_masks(magnitude_masks([weight], sparsity), oracle_masks([weight], sparsity, "layer"))


def test_periodic_weights_do_not_fool_the_ranking(target):
    weight = np.tile(np.array([1000.0, *[0.001] * 63], np.float32), 3000)
    weight += np.arange(weight.size, dtype=np.float32) * np.float32(1e-9)
    for sparsity in (0.5, 0.98, 0.99):
        assert_same_masks(magnitude_masks([weight], sparsity), oracle_masks([weight], sparsity, "layer"))


def test_ties_keep_the_lower_index_across_arrays(target):
    weights = [np.array([1, -2, 1], np.float32), np.array([[2, -1], [1, 1]], np.float32)]
    first, second = magnitude_masks(weights, 3 / 7, "global")
    assert first.tolist() == [True, True, True]
    assert second.tolist() == [[True, False], [False, False]]


def test_unaligned_and_strided_arrays(target):
    base = np.random.default_rng(12).normal(size=(40, 50)).astype(np.float32)
    wanted = oracle_masks([base], 0.7, "layer")
    raw = np.empty(base.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(base.shape)
    unaligned[...] = base
    for weight in (np.asfortranarray(base), unaligned, np.repeat(base, 2, axis=1)[:, ::2]):
        before = weight.copy()
        assert_same_masks(magnitude_masks([weight], 0.7), wanted)
        assert np.array_equal(weight, before)


def test_threshold_of_the_kth_magnitude_and_its_ties(target):
    weights = [np.array([3, -1, 2, 2], np.float32), np.array([-2, 0.5], np.float32)]
    assert kernels.magnitude_threshold(weights, 1) == (3.0, 1)
    assert kernels.magnitude_threshold(weights, 2) == (2.0, 1)
    assert kernels.magnitude_threshold(weights, 4) == (2.0, 3)
    assert kernels.magnitude_threshold(weights, 6) == (0.5, 1)
    assert kernels.magnitude_threshold(weights, 0) == (float("inf"), 0)


@given(
    weight=hnp.arrays(np.float32, st.integers(0, 300), elements=VALUES),
    threshold=st.one_of(st.sampled_from([abs(x) for x in SPECIAL]), st.floats(0, width=32)),
)
@settings(max_examples=100, deadline=None)
def test_threshold_mask_keeps_what_is_not_below(weight, threshold):
    assert np.array_equal(threshold_mask(weight, threshold), np.abs(weight) >= np.float32(threshold))


def test_threshold_mask_keeps_the_shape():
    mask = threshold_mask(np.array([[0.5, -2.0], [0.0, 1.0]], np.float32), 0.5)
    assert mask.tolist() == [[True, True], [False, True]]
    assert threshold_mask(np.array([0.0, 1.0], np.float32), 1e300).tolist() == [False, False]


@given(count=st.integers(0, 10**9), sparsity=st.floats(0, 1))
def test_kept_count_is_within_half_a_weight(count, sparsity):
    assert abs(kept_count(count, sparsity) - count * (1 - sparsity)) <= 0.5 + 1e-6


def test_kept_count_rounds_halves_to_even_pruned():
    assert [kept_count(10, s) for s in (0.0, 0.05, 0.15, 0.9, 0.95, 1.0)] == [10, 10, 8, 1, 0, 0]
    assert kept_count(100, 0.29) == 71


@pytest.mark.parametrize("position", [0, 17, 4999, 5000, 9999])
def test_nan_is_refused_with_its_place(target, position):
    weights = [np.ones(5000, np.float32), np.ones(5000, np.float32)]
    weights[position // 5000][position % 5000] = np.nan
    for scope in ("layer", "global"):
        for sparsity in (0.0, 0.5, 1.0):
            with pytest.raises(
                InvalidValueError, match=rf"weights\[{position // 5000}\]: NaN at flat index {position % 5000}"
            ):
                magnitude_masks(weights, sparsity, scope)
    with pytest.raises(InvalidValueError, match="NaN"):
        threshold_mask(weights[position // 5000], 0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: magnitude_masks([np.ones(3, np.float64)], 0.5),
        lambda: magnitude_masks([np.ones(3, np.int32)], 0.5),
        lambda: magnitude_masks([np.ones(3, ">f4")], 0.5),
        lambda: magnitude_masks([np.ones(3, np.float32)], -0.1),
        lambda: magnitude_masks([np.ones(3, np.float32)], 1.1),
        lambda: magnitude_masks([np.ones(3, np.float32)], float("nan")),
        lambda: magnitude_masks([], 2.0),
        lambda: magnitude_masks([np.ones(3, np.float32)], 0.5, "row"),
        lambda: threshold_mask(np.ones(3, np.float32), -1.0),
        lambda: threshold_mask(np.ones(3, np.float32), float("nan")),
        lambda: threshold_mask(np.ones(3, np.float64), 1.0),
        lambda: kernels.magnitude_threshold([np.ones(3, np.float32)], 4),
        lambda: kernels.magnitude_threshold([np.ones(3, np.float32)], -1),
        lambda: kernels.keep_largest([np.ones(3, np.float32)], 4, [np.ones(3, bool)]),
        lambda: kernels.keep_largest([np.ones(3, np.float32)], 1, [np.ones(2, bool)]),
        lambda: kernels.keep_largest([np.ones(3, np.float32)], 1, []),
        lambda: kernels.keep_at_least(np.ones(3, np.float32), 1.0, np.ones(4, bool)),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidValueError):
        call()


def test_core_refuses_other_types_instead_of_copying():
    with pytest.raises(TypeError):
        kernels.keep_largest([np.ones(3, np.float64)], 1, [np.ones(3, bool)])
    with pytest.raises(TypeError):
        kernels.keep_largest([np.ones(3, np.float32)], 1, [np.ones(3, np.uint8)])
    with pytest.raises(InvalidValueError, match=r"weights\[0\].*layout"):
        kernels.keep_largest([np.ones((4, 4), np.float32)[:, ::2]], 1, [np.ones((4, 2), bool)])
    read_only = np.ones(3, bool)
    read_only.flags.writeable = False
    with pytest.raises(InvalidValueError, match="writable"):
        kernels.keep_at_least(np.ones(3, np.float32), 1.0, read_only)


def test_masks_are_written_into_out(target):
    weights = [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in [(30, 7), (0, 3), (5000,)]]
    out = [np.ones(weight.shape, bool) for weight in weights]
    found = magnitude_masks(weights, 0.8, "global", out)
    assert all(left is right for left, right in zip(found, out))
    assert_same_masks(found, oracle_masks(weights, 0.8, "global"))
    mask = np.zeros(5000, bool)
    assert threshold_mask(weights[2], 0.5, mask) is mask
    assert np.array_equal(mask, np.abs(weights[2]) >= np.float32(0.5))


@settings(max_examples=60, deadline=None)
@given(weights=WEIGHTS, sparsity=st.floats(0, 1), scope=st.sampled_from(["layer", "global"]))
def test_bit_masks_are_packed_byte_masks(weights, sparsity, scope):
    wanted = [np.packbits(mask, bitorder="little") for mask in oracle_masks(weights, sparsity, scope)]
    for name in kernels.targets():
        with kernels.forced_target(name):
            out = [np.full_like(mask, 255) for mask in wanted]
            found = magnitude_bitmasks(weights, sparsity, scope, out)
            assert [mask.tobytes() for mask in found] == [mask.tobytes() for mask in wanted]
            assert all(left is right for left, right in zip(found, out))
            for weight in weights:
                kept = np.packbits(np.abs(weight) >= np.float32(0.3), bitorder="little")
                assert threshold_bitmask(weight, 0.3).tobytes() == kept.tobytes()


def hostile(kind: str, size: int) -> np.ndarray:
    """Weights that a sample misjudges, or that leave more undecided than there is room for."""
    rng = np.random.default_rng(size)
    normal = rng.normal(0, 0.05, size).astype(np.float32)
    draws = {
        "normal": lambda: normal,
        "two values": lambda: np.where(rng.random(size) < 0.5, np.float32(1), np.float32(-1.0000001)),
        "tie in the middle": lambda: np.where(rng.random(size) < 0.3, np.float32(0.05), normal),
        "neighbours": lambda: (np.float32(1).view(np.int32) + rng.integers(0, 9, size, np.int32)).view(np.float32),
        "subnormal": lambda: rng.integers(0, 1 << 20, size, np.int32).view(np.float32),
        "all magnitudes": lambda: rng.integers(0, 0x7F800001, size, np.int32).view(np.float32),
        "rows of their own scale": lambda: (
            normal * np.repeat(np.exp2(rng.integers(-9, 9, size // 100 + 1)), 100)[:size].astype(np.float32)
        ),
        "sorted": lambda: np.sort(normal),
        "needle": lambda: np.where(np.arange(size) == size - 1, np.float32(7), np.float32(0.5)),
    }
    return draws[kind]()


@pytest.mark.parametrize(
    "kind",
    [
        "normal",
        "two values",
        "tie in the middle",
        "neighbours",
        "subnormal",
        "all magnitudes",
        "rows of their own scale",
        "sorted",
        "needle",
    ],
)
@pytest.mark.parametrize("size", [4097, 20_003, 200_000])
def test_hostile_weights(target, kind, size):
    weight = hostile(kind, size)
    weights = [weight[: size // 3], weight[size // 3 : size // 3 + 5], weight[size // 3 + 5 :]]
    for sparsity in (1 / size, 0.3, 0.5, 0.9, 1 - 1 / size):
        wanted = oracle_masks(weights, sparsity, "global")
        assert_same_masks(magnitude_masks(weights, sparsity, "global"), wanted)
        packed = magnitude_bitmasks(weights, sparsity, "global")
        assert all(np.array_equal(left, np.packbits(right, bitorder="little")) for left, right in zip(packed, wanted))


@pytest.mark.parametrize("position", [0, 63, 65_536, 199_999])
def test_nan_in_a_large_array_is_refused(target, position):
    weight = np.random.default_rng(2).normal(size=200_000).astype(np.float32)
    weight[position] = -np.nan
    for sparsity in (0.0, 0.5, 1.0):
        with pytest.raises(InvalidValueError, match=f"NaN at flat index {position}"):
            magnitude_bitmasks([weight], sparsity)
    with pytest.raises(InvalidValueError, match=f"NaN at flat index {position}"):
        counts_at_least([weight], [0.5])
    with pytest.raises(InvalidValueError, match=f"nan at flat index {position}"):
        weight_statistics([weight])


SHARED = np.ones(16, np.float32)


@pytest.mark.parametrize(
    "call",
    [
        lambda w: magnitude_masks([w], 0.5, out=[]),
        lambda w: magnitude_masks([w], 0.5, out=[np.ones(15, bool)]),
        lambda w: magnitude_masks([w], 0.5, out=[np.ones((4, 4), bool)]),
        lambda w: magnitude_masks([w], 0.5, out=[np.ones(16, np.uint8)]),
        lambda w: magnitude_masks([w], 0.5, out=[np.ones(32, bool)[::2]]),
        lambda w: magnitude_masks([w], 0.5, out=[[True] * 16]),
        lambda w: magnitude_masks([w], 0.5, out=[w.view(bool)[:16]]),
        lambda w: magnitude_masks([w, w], 0.5, "global", [w.view(bool)[:16], np.ones(16, bool)]),
        lambda w: magnitude_masks([w, w], 0.5, "global", [SHARED.view(bool)[:16]] * 2),
        lambda w: magnitude_bitmasks([w], 0.5, out=[np.ones(1, np.uint8)]),
        lambda w: magnitude_bitmasks([w], 0.5, out=[np.ones(3, np.uint8)]),
        lambda w: magnitude_bitmasks([w], 0.5, out=[w.view(np.uint8)[62:]]),
        lambda w: threshold_mask(w, 0.5, np.ones(15, bool)),
        lambda w: threshold_mask(w, 0.5, w.view(bool)[48:]),
        lambda w: threshold_bitmask(w, -1.0),
        lambda w: threshold_bitmask(w, 0.5, np.ones(16, bool)),
        lambda w: counts_at_least([w], [-1.0]),
        lambda w: counts_at_least([w], [float("nan")]),
        lambda w: counts_at_least([w], 1.0),
        lambda w: counts_at_least([w], np.ones((2, 3))),
        lambda w: counts_at_least([w.astype(np.float64)], [1.0]),
        lambda w: weight_statistics([w.astype(np.float64)]),
        lambda w: kernels.keep_largest_bits([w], 17, [np.ones(2, np.uint8)]),
        lambda w: kernels.keep_largest_bits([w], 4, [np.ones(16, np.uint8)]),
        lambda w: kernels.keep_at_least_bits(w, 1.0, np.ones(16, np.uint8)),
        lambda w: kernels.counts_at_least(w, w, np.ones(15, np.int64)),
    ],
)
def test_bad_outputs_and_thresholds_are_refused(call):
    with pytest.raises(InvalidValueError):
        call(np.ones(16, np.float32))
