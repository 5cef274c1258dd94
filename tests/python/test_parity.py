"""Same bits everywhere: each target against the oracle, and against each other."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import random_networks
import reference
from rlcompress import artifact, kernels, quantise_static
from rlcompress.contract import Contract, Squash
from rlcompress.layers import ACTIVATIONS, Dense, IntegerDense, QuantizedDense
from rlcompress.layers.activation import DEFAULT_ALPHA
from rlcompress.network import Network
from rlcompress.runtime import Runtime

pytestmark = pytest.mark.usefixtures("restore_target")
TARGETS = kernels.targets()


def run(image: bytes, rows: Any) -> bytes:
    model = kernels.Model(image)
    actions = np.empty((len(rows), model.action_size), np.float32)
    model.run(rows, actions)
    return actions.tobytes()


def oracle(network: Network, image: bytes, rows: Any) -> bytes:
    stored = [layer.mask is not None for layer in artifact.decode(image).layers]
    return reference.run(network, rows, stored).tobytes()


def assert_parity(network: Network, rows: Any) -> None:
    image = artifact.encode(network, golden=0, metadata=False)
    expected = np.frombuffer(oracle(network, image, rows), np.uint32)
    for target in TARGETS:
        kernels.force_target(target)
        found = np.frombuffer(run(image, rows), np.uint32)
        wrong = np.flatnonzero(found != expected)
        values = [(found[i : i + 1].view(np.float32)[0], expected[i : i + 1].view(np.float32)[0]) for i in wrong[:5]]
        assert not wrong.size, f"{target}: found, expected {values} for {network}"


def test_scalar_is_always_there() -> None:
    assert "scalar" in TARGETS
    assert kernels.active_target() in TARGETS
    for target in TARGETS:
        kernels.force_target(target)
        assert kernels.active_target() == target


@pytest.mark.parametrize("block", range(8))
def test_random_networks_equal_the_oracle(block: int) -> None:
    rng = np.random.default_rng((1, block))
    for _ in range(50):
        network = random_networks.network(rng)
        assert_parity(network, random_networks.observations(rng, 6, network.contract.input_size))


def test_ten_thousand_networks_are_equal_on_every_target() -> None:
    rng = np.random.default_rng(2)
    cases = []
    for _ in range(10_000):
        network = random_networks.network(rng)
        rows = random_networks.observations(rng, 4, network.contract.input_size)
        cases.append((artifact.encode(network, golden=0, metadata=False), rows))
    answers = {}
    for target in TARGETS:
        kernels.force_target(target)
        answers[target] = [run(image, rows) for image, rows in cases]
    for target in TARGETS:
        wrong = [index for index, pair in enumerate(zip(answers[target], answers["scalar"])) if pair[0] != pair[1]]
        assert not wrong, f"{target} and scalar differ on networks {wrong[:10]}"


@pytest.mark.parametrize("outputs", [1, 16, 17, 32, 33, 127, 128, 200])
@pytest.mark.parametrize("inputs", [1, 3, 15, 63, 64, 65, 100])
def test_every_shape_class(inputs: int, outputs: int) -> None:
    rng = np.random.default_rng((inputs, outputs))
    rows = rng.standard_normal((3, inputs)).astype(np.float32)
    weight, bias = rng.standard_normal((outputs, inputs)), rng.standard_normal(outputs)
    assert_parity(Network((Dense(weight, bias, "tanh"),)), rows)
    for bits, limit in ((8, 127), (4, 7)):
        integers = rng.integers(-limit, limit + 1, (outputs, inputs))
        layer = QuantizedDense(integers, integers[:, 0], bits, row_exponent=np.array([-5]))
        assert_parity(Network((layer,)), rows)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [1, 5, 40])
def test_activations_over_all_magnitudes(activation: Any, width: int) -> None:
    rng = np.random.default_rng(width)
    bits = rng.integers(0, 1 << 32, 3000 * width, np.uint32).view(np.float32).reshape(-1, width)
    near = (rng.standard_normal((2000, width)) * 30).astype(np.float32)
    odd = np.resize(random_networks.ODD_VALUES, (13, width))
    weight = np.eye(width, dtype=np.float32) if width == 1 else np.where(np.eye(width) > 0, 1, 0)
    layer = Dense(weight, np.zeros(width), activation, DEFAULT_ALPHA.get(activation, 0.0))
    with np.errstate(invalid="ignore"):
        assert_parity(Network((layer,)), np.concatenate([bits, near, odd]))


@pytest.mark.parametrize(
    ("activation", "exact", "limit"),
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 2.4),
        ("tanh", np.tanh, 1.4),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(x)), None),
    ],
)
def test_stated_errors(activation: Any, exact: Any, limit: float | None) -> None:
    x = np.linspace(-80, 80, 100_001, dtype=np.float32)[:, None]
    layer = Dense([[1.0]], [0.0], activation, DEFAULT_ALPHA.get(activation, 0.0))
    found = np.frombuffer(run(artifact.encode(Network((layer,)), golden=0), x), np.float32)
    expected = exact(x[:, 0].astype(np.float64))
    error = np.abs(found - expected)
    if limit is None:
        assert error.max() < 2e-7
    else:
        ulp = np.spacing(np.abs(expected).astype(np.float32))
        assert (error / ulp).max() < limit


def test_int8_is_exact() -> None:
    rng = np.random.default_rng(4)
    weight, bias = rng.integers(-127, 128, (50, 70)), rng.integers(-127, 128, 50)
    rows = rng.integers(-9, 10, (20, 70)).astype(np.float32)
    image = artifact.encode(Network((QuantizedDense(weight, bias, 8),)), golden=0)
    for target in TARGETS:
        kernels.force_target(target)
        found = np.frombuffer(run(image, rows), np.float32).reshape(20, 50)
        assert np.array_equal(found, rows.astype(int) @ weight.T + bias)


def test_batch_equals_single_runs() -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        network = random_networks.network(rng)
        image = artifact.encode(network, golden=0)
        rows = random_networks.observations(rng, 7, network.contract.input_size)
        assert run(image, rows) == b"".join(run(image, rows[i : i + 1]) for i in range(7))


@pytest.mark.parametrize(
    "widths",
    [
        *((7, 40, outputs) for outputs in range(1, 6)),  # actions that are stored one by one
        *((7, 70, outputs) for outputs in range(1, 6)),
        (3, 2),
        (70, 3),
        (65, 270, 384, 9),  # up to 24 vectors in registers
        (33, 385, 130),  # more of them: sums in memory
        (131, 405, 2),
        (501, 405, 1),  # weights beyond the second-level cache
        (64, 100, 259, 4),
        (303, 256, 256, 3),  # integers a little beyond the first-level cache: parts of the rows, with rows left over
        (517, 128, 2),
    ],
)
def test_single_observations_are_equal_on_every_target(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(widths)
    layers = [
        Dense(
            rng.standard_normal((m, k)) / k**0.5, rng.standard_normal(m), "relu" if i + 2 < len(widths) else "identity"
        )
        for i, (k, m) in enumerate(itertools.pairwise(widths))
    ]
    rows = rng.standard_normal((12, widths[0])).astype(np.float32)
    network = Network(tuple(layers))
    rows_with_odd_values = np.concatenate([rows, np.resize(random_networks.ODD_VALUES, (5, widths[0]))])
    for tried, seen in ((network, rows_with_odd_values), (quantise_static(network, rows), rows)):
        answers = {}
        for target in TARGETS:
            kernels.force_target(target)
            runtime = Runtime(tried)
            answers[target] = b"".join(runtime(row).tobytes() for row in seen)
            assert answers[target] == run(artifact.encode(tried, golden=0), seen), target
        assert len(set(answers.values())) == 1, [t for t in TARGETS if answers[t] != answers["scalar"]]


def rows_with_zeros(rng: np.random.Generator, inputs: int) -> Any:
    """Observations of which none, some, most and all values are zeros of either sign; the last holds odd values."""
    rows = rng.standard_normal((7, inputs)).astype(np.float32)
    for row, share in zip(rows, (0, 0.2, 0.5, 0.9, 0.99, 1, 0.5)):
        row[rng.random(inputs) < share] = rng.choice(np.array([0.0, -0.0], np.float32))
    rows[-1, rng.integers(inputs, size=5)] = random_networks.ODD_VALUES[:5]
    return rows


@pytest.mark.parametrize("activation", ["relu", "identity", "elu"])
@pytest.mark.parametrize(
    "widths", [(130, 128), (40, 150), (300, 200), (513, 131), (70, 400), (128, 100), (257, 40), (600, 33), (63, 127)]
)
def test_inputs_of_zero_change_no_bit(widths: tuple[int, int], activation: Any) -> None:
    """Single observations leave out the weights of zeros where a relu follows; sums that underflow end in zeros."""
    inputs, outputs = widths
    rng = np.random.default_rng((inputs, outputs))
    weight = rng.standard_normal((outputs, inputs)).astype(np.float32)
    tiny = np.where(rng.random((outputs, 1)) < 0.5, np.float32(1e-30), np.float32(1)) * weight
    bias = np.where(rng.random(outputs) < 0.5, 0, rng.standard_normal(outputs)).astype(np.float32)
    rows = rows_with_zeros(rng, inputs)
    underflowing = np.where(rows[2:3] == 0, rows[2:3], np.float32(1e-30) * rows[2:3])
    integers = rng.integers(-7, 8, (outputs, inputs))
    alpha = DEFAULT_ALPHA.get(activation, 0.0)
    layers = [
        Dense(tiny, bias, activation, alpha),
        QuantizedDense(integers, bias, 8, activation, alpha, row_scale=np.full(outputs, 1e-3, np.float32)),
        QuantizedDense(integers, integers[:, 0], 4, activation, alpha, row_exponent=np.array([-5])),
    ]
    for layer in layers:
        network = Network((layer,))
        for row in np.concatenate([rows, underflowing]):
            expected = oracle(network, artifact.encode(network, golden=0), row[None])
            for target in TARGETS:
                kernels.force_target(target)
                assert Runtime(network)(row).tobytes() == expected, target


@pytest.mark.parametrize("widths", [(300, 150), (1001, 140), (2100, 130), (64, 512), (70, 400), (41, 65), (256, 256)])
def test_groups_of_zero_change_no_bit(widths: tuple[int, int]) -> None:
    """Integer layers leave out the weights of groups of four inputs that are all the byte 0."""
    inputs, outputs = widths
    rng = np.random.default_rng((inputs, outputs))
    weight, bias = rng.integers(-127, 128, (outputs, inputs)), rng.integers(-9999, 9999, outputs)
    scale = rng.uniform(1e-4, 1e-3, outputs).astype(np.float32)
    for activation, zero in (("relu", 0), ("identity", 0), ("tanh", 3)):
        network = Network((IntegerDense(weight, bias, 20.0, zero, scale, activation),))
        for share in (0, 0.2, 0.5, 0.9, 1):
            row = rng.uniform(0.1, 9, inputs).astype(np.float32)
            row[np.repeat(rng.random(inputs // 4 + 1) < share, 4)[:inputs]] = -1
            expected = oracle(network, artifact.encode(network, golden=0), row[None])
            for target in TARGETS:
                kernels.force_target(target)
                assert Runtime(network)(row).tobytes() == expected, (target, activation, share)


@pytest.mark.parametrize("widths", [(300, 150), (1001, 130), (2100, 130), (64, 512), (41, 65), (256, 256)])
def test_large_bytes_change_no_bit(widths: tuple[int, int]) -> None:
    """AVX2 multiplies the highest bit of inputs apart where few groups of four have one: no products saturate."""
    inputs, outputs = widths
    rng = np.random.default_rng((inputs, outputs))
    weight, bias = rng.choice([-127, 127, 127, 1], (outputs, inputs)), rng.integers(-9999, 9999, outputs)
    scale = rng.uniform(1e-4, 1e-3, outputs).astype(np.float32)
    network = Network((IntegerDense(weight, bias, 1.0, 0, scale, "identity"),))
    for zeros, large in itertools.product((0, 0.6, 0.9), (0, 0.01, 0.1, 0.3, 1)):
        row = np.where(rng.random(inputs) < large, rng.choice([128, 255], inputs), rng.choice([1, 127], inputs))
        row[np.repeat(rng.random(inputs // 4 + 1) < zeros, 4)[:inputs]] = 0
        expected = (weight @ row + bias).astype(np.float32) * scale
        for target in TARGETS:
            kernels.force_target(target)
            assert np.array_equal(Runtime(network)(row.astype(np.float32)), expected), (target, zeros, large)


def test_squash_and_argmax_corner_cases() -> None:
    infinite = np.full(2, np.inf, np.float32)
    head = Squash(-infinite, infinite, np.array([2, -3], np.float32), np.array([0.5, 0], np.float32))
    rows = np.array([[a, b] for a in random_networks.ODD_VALUES for b in random_networks.ODD_VALUES], np.float32)
    identity = Dense(np.eye(2), np.zeros(2))
    sparse = Dense(np.eye(2), np.zeros(2), mask=np.eye(2, dtype=bool))
    for layer in (identity, sparse):
        assert_parity(Network((layer,), Contract((2,), head)), rows)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(finite, st.floats(width=32)), min_size=1, max_size=9), finite)
def test_single_sums_equal_the_oracle(terms: list[tuple[float, float]], bias: float) -> None:
    weight = np.array([[w for w, _ in terms]], np.float32)
    rows = np.array([[x for _, x in terms]], np.float32)
    before = kernels.active_target()
    assert_parity(Network((Dense(weight, [bias]),)), rows)
    kernels.force_target(before)


@settings(max_examples=300, deadline=None)
@given(finite, finite, finite)
def test_the_oracle_rounds_once(a: float, b: float, c: float) -> None:
    """fma of the oracle against exact rational arithmetic."""
    with np.errstate(over="ignore"):
        found = reference.fma(np.float32(a), np.float32(b), np.float32(c))[()]
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if abs(exact) >= Fraction(float(np.finfo(np.float32).max)) + Fraction(2) ** 103:
        assert np.isinf(found)
        return
    distance = abs(Fraction(float(found)) - exact)
    with np.errstate(over="ignore"):
        neighbours = [np.nextafter(found, np.float32(side)) for side in (-np.inf, np.inf)]
    for other in neighbours:
        if np.isfinite(other):
            gap = abs(Fraction(float(other)) - exact)
            assert distance < gap or (distance == gap and found.view(np.uint32) % 2 == 0)
