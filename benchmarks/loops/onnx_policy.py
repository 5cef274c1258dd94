"""A policy in onnxruntime's static int8, as its own tools make it: what other tools keep of a policy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import rlcompress as rlc
from rlcompress.calibration import layer_inputs, observation_rows

NODES = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


class OnnxPolicy:
    """Per-channel int8 weights and uint8 activations with ranges from the observations; no head and normalisation.

    Args:
        network: float32 dense layers with relu, tanh, sigmoid or no activation.
        observations: (n, *observation_shape), which set the ranges.
    """

    def __init__(self, network: rlc.Network, observations: Any) -> None:
        import onnx
        import onnxruntime
        from onnxruntime import quantization

        self._network = network
        self._head = rlc.Runtime(_head(network))
        given = layer_inputs(network, 0, observation_rows(network, observations))
        with tempfile.TemporaryDirectory() as folder:
            whole, small = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
            onnx.save(_model(network), whole)
            settings = {"per_channel": True, "quant_format": quantization.QuantFormat.QDQ}
            quantization.quantize_static(whole, small, Batches(given), **settings)
            self._session = onnxruntime.InferenceSession(str(small), providers=["CPUExecutionProvider"])

    def __call__(self, observations: Any) -> Any:
        """(n, actions) of (n, *observation_shape)."""
        x = layer_inputs(self._network, 0, observation_rows(self._network, observations))
        return self._head(self._session.run(None, {"x": x})[0])


class Batches:
    """What onnxruntime's calibration reads."""

    def __init__(self, rows: Any) -> None:
        self._batches: Iterator[Any] = iter(np.array_split(rows, max(1, len(rows) // 500)))

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None."""
        batch = next(self._batches, None)
        return None if batch is None else {"x": batch}


def _head(network: rlc.Network) -> rlc.Network:
    outputs = network.output_size
    return rlc.Network(
        (rlc.Dense(np.eye(outputs), np.zeros(outputs)),), rlc.Contract((outputs,), network.contract.head)
    )


def _model(network: rlc.Network) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, name = [], [], "x"
    layers = network.dense_layers()
    for index, layer in enumerate(layers):
        constants += [numpy_helper.from_array(np.ascontiguousarray(layer.weight.T), f"w{index}")]
        constants += [numpy_helper.from_array(np.ascontiguousarray(layer.bias), f"b{index}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{index}", f"b{index}"], [f"s{index}"], f"layer{index}"))
        name = f"s{index}"
        if layer.activation != "identity":
            nodes.append(helper.make_node(NODES[layer.activation], [name], [f"y{index}"], f"activation{index}"))
            name = f"y{index}"
    shapes = [["n", layers[0].in_features], ["n", layers[-1].out_features]]
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in zip(("x", name), shapes)]
    graph = helper.make_graph(nodes, "policy", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
