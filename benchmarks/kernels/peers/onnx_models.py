"""A network as an ONNX model, for the runtimes that read them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from work import DenseWork

from peers import library


def float32_model(work: DenseWork) -> bytes:
    """Gemm and Relu nodes; input `x` (batch, inputs), output `y`."""
    onnx = library("onnx")
    nodes, initialisers, name = [], [], "x"
    layers = work.network.dense_layers()
    for index, layer in enumerate(layers):
        for part, array in (("w", layer.weight), ("b", layer.bias)):
            initialisers.append(onnx.numpy_helper.from_array(np.array(array), f"{part}{index}"))
        out = "y" if index == len(layers) - 1 else f"s{index}"
        nodes.append(onnx.helper.make_node("Gemm", [name, f"w{index}", f"b{index}"], [out], transB=1))
        name = out
        if layer.activation == "relu":
            name = f"h{index}"
            nodes.append(onnx.helper.make_node("Relu", [out], [name]))
    ends = [_value(onnx, "x", work.batch, work.network.input_size)]
    outputs = [_value(onnx, "y", work.batch, work.network.output_size)]
    graph = onnx.helper.make_graph(nodes, "network", ends, outputs, initialisers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def static_int8_model(work: DenseWork) -> bytes:
    """QuantizeLinear and DequantizeLinear nodes, ranges from the calibration rows, weights per row."""
    library("onnx")
    quantization = library("onnxruntime.quantization")
    rows = [row.reshape(1, -1) for row in work.calibration]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = iter([{"x": row} for row in rows])

        def get_next(self) -> Any:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(float32_model(work))
        quantization.quantize_static(
            str(source),
            str(target),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return target.read_bytes()


def _value(onnx: Any, name: str, rows: int, columns: int) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [rows, columns])
