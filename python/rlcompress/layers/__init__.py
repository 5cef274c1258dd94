"""Layers of a `Network`: one file each, and `LAYERS`, the list of them."""

from __future__ import annotations

from typing import Union

from rlcompress.layers.activation import ACTIVATIONS, Activation
from rlcompress.layers.dense import Dense
from rlcompress.layers.quantized_dense import QuantizedDense

Layer = Union[Dense, QuantizedDense]
LAYERS: dict[str, type[Dense] | type[QuantizedDense]] = {layer.kind: layer for layer in (Dense, QuantizedDense)}

__all__ = ["ACTIVATIONS", "LAYERS", "Activation", "Dense", "Layer", "QuantizedDense"]
