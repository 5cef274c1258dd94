"""Layers of a `Network`: one file each, and `LAYERS`, the list of them."""

from __future__ import annotations

from typing import Union

from rlcompress.layers.activation import ACTIVATIONS, Activation
from rlcompress.layers.dense import Dense
from rlcompress.layers.integer_dense import IntegerDense
from rlcompress.layers.quantized_dense import QuantizedDense

Layer = Union[Dense, QuantizedDense, IntegerDense]
LAYERS: dict[str, type[Dense] | type[QuantizedDense] | type[IntegerDense]] = {
    layer.kind: layer for layer in (Dense, QuantizedDense, IntegerDense)
}

__all__ = ["ACTIVATIONS", "LAYERS", "Activation", "Dense", "IntegerDense", "Layer", "QuantizedDense"]
