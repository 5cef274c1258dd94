"""What every entry of `LAYERS` promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import random_networks
import reference
from rlcompress import artifact
from rlcompress.errors import InvalidValueError
from rlcompress.layers import ACTIVATIONS, LAYERS
from rlcompress.layers.activation import ALPHA_RANGE, DEFAULT_ALPHA
from rlcompress.network import Network
from rlcompress.runtime import Runtime

MAKERS = {
    "dense": random_networks.dense,
    "quantized_dense": random_networks.quantized,
    "integer_dense": random_networks.integer,
}


def exact_rows(rng: np.random.Generator, layer: Any) -> Any:
    """(4, in_features) float32 that the layer reads without rounding them."""
    if not hasattr(layer, "input_zero"):
        return rng.standard_normal((4, layer.in_features)).astype(np.float32)
    integers = rng.integers(0, 256, (4, layer.in_features)) - layer.input_zero
    return (integers / layer.steps(np.ones(layer.in_features))).astype(np.float32)


def test_every_layer_is_covered() -> None:
    assert MAKERS.keys() == LAYERS.keys()


@pytest.fixture(params=LAYERS)
def layers(request: pytest.FixtureRequest) -> list[Any]:
    rng = np.random.default_rng(11)
    found = [MAKERS[request.param](rng, *rng.integers(1, 70, 2)) for _ in range(40)]
    assert {layer.kind for layer in found} == {request.param}
    return found


def test_equality_is_by_value(layers: list[Any]) -> None:
    for layer in layers:
        assert layer == replace(layer)
        one, other = (replace(layer, bias=np.full(layer.out_features, value, layer.bias.dtype)) for value in (3, 4))
        assert one != other
        assert replace(layer, activation="relu", alpha=0.0) != replace(layer, activation="tanh", alpha=0.0)
        assert replace(layer, mask=None) != replace(layer, mask=np.ones(layer.weight.shape, bool))
        assert layer != "layer"


def test_arrays_are_read_only_copies(layers: list[Any]) -> None:
    for layer in layers:
        with pytest.raises(ValueError, match="read-only"):
            layer.weight[0, 0] = 1
        source = np.array(layer.weight)
        copy = replace(layer, weight=source)
        source[:] = 0
        assert copy == layer


def test_sizes_and_counts(layers: list[Any]) -> None:
    for layer in layers:
        kept = layer.weight.size if layer.mask is None else int(layer.mask.sum())
        assert layer.weight.shape == (layer.out_features, layer.in_features)
        assert layer.parameter_count == kept + layer.out_features
        assert layer.macs == kept


def test_mask_zeroes_what_it_drops(layers: list[Any]) -> None:
    for layer in layers:
        mask = np.zeros(layer.weight.shape, bool)
        assert not replace(layer, mask=mask).weight.any()
        with pytest.raises(InvalidValueError, match="mask"):
            replace(layer, mask=np.ones((1, 1, 1), bool))


def test_file_holds_the_layer(layers: list[Any]) -> None:
    for layer in layers:
        image = artifact.encode(Network((layer,)), golden=3)
        decoded = artifact.decode(image).layers[0]
        assert decoded == (layer if decoded.mask is not None else replace(layer, mask=None))
        assert Runtime(image).self_test() == 3


def test_dense_float_computes_nearly_the_same(layers: list[Any]) -> None:
    rng = np.random.default_rng(12)
    for layer in layers:
        plain = layer.dense_float()
        assert plain.kind == "dense"
        assert (plain.activation, plain.alpha) == (layer.activation, layer.alpha)
        if np.abs(plain.weight).max() > 1e6 or np.abs(plain.bias).max() > 1e6:
            continue  # sums of huge values may cancel
        rows = exact_rows(rng, layer)
        stored = artifact.decode(artifact.encode(Network((layer,)), golden=0)).layers[0].mask is not None
        expected = reference.run(Network((layer,)), rows, [stored])
        scale = 1 + np.abs(rows) @ np.abs(plain.weight).T + np.abs(plain.bias)
        assert (np.abs(Runtime(Network((plain,)))(rows) - expected) < 1e-4 * scale).all()


def test_values_that_do_not_fit_are_refused(layers: list[Any]) -> None:
    layer = layers[0]
    with pytest.raises(InvalidValueError, match="weight"):
        replace(layer, weight=np.full(layer.weight.shape, 1e40))
    with pytest.raises(InvalidValueError, match="bias"):
        replace(layer, bias=np.zeros(layer.out_features + 1, np.float32))
    with pytest.raises(InvalidValueError, match="bias"):
        replace(layer, bias=np.full(layer.out_features, np.nan, np.float32))


def test_every_activation_is_taken_and_others_refused(layers: list[Any]) -> None:
    layer = layers[0]
    for activation in ACTIVATIONS:
        alpha = DEFAULT_ALPHA.get(activation, 0.0)
        assert replace(layer, activation=activation, alpha=alpha).activation == activation
        with pytest.raises(InvalidValueError, match="alpha"):
            replace(layer, activation=activation, alpha=-1.0)
        if activation not in ALPHA_RANGE:
            with pytest.raises(InvalidValueError, match="alpha"):
                replace(layer, activation=activation, alpha=0.5)
    with pytest.raises(InvalidValueError, match="swish"):
        replace(layer, activation="swish")
