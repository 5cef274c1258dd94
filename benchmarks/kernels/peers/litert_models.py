"""A network as a LiteRT (TensorFlow Lite) file, written with the schema that comes with LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from work import DenseWork

from peers import library


class ModelWriter:
    """Tensors, buffers and fully connected operators of one subgraph."""

    def __init__(self) -> None:
        self.schema = library("ai_edge_litert.schema_py_generated")
        self.buffers = [self.schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []

    def tensor(self, shape: tuple[int, ...], dtype: str, data: Any = None, scale: Any = None, zero: Any = None) -> int:
        """Add a tensor; a constant when `data` is given, quantised when `scale` is."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.name = list(shape), f"t{len(self.tensors)}"
        tensor.type = getattr(self.schema.TensorType, dtype)
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if scale is not None:
            quantization = self.schema.QuantizationParametersT()
            quantization.scale = [float(value) for value in np.atleast_1d(scale)]
            quantization.zeroPoint = [int(value) for value in np.atleast_1d(zero)]
            tensor.quantization = quantization
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def fully_connected(self, inputs: list[int], output: int, relu: bool) -> None:
        options = self.schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = self.schema.ActivationFunctionType.RELU if relu else 0
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, inputs, [output]
        operator.builtinOptionsType = self.schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = options
        self.operators.append(operator)

    def finish(self, first: int, last: int) -> bytes:
        flatbuffers = library("flatbuffers")
        graph, code, model = self.schema.SubGraphT(), self.schema.OperatorCodeT(), self.schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [first], [last]
        code.builtinCode = code.deprecatedBuiltinCode = self.schema.BuiltinOperator.FULLY_CONNECTED
        code.version = 5
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def float32_model(work: DenseWork) -> bytes:
    """float32 throughout."""
    writer = ModelWriter()
    first = last = writer.tensor(work.x.shape, "FLOAT32")
    for layer in work.network.dense_layers():
        weight = writer.tensor(layer.weight.shape, "FLOAT32", layer.weight)
        bias = writer.tensor(layer.bias.shape, "FLOAT32", layer.bias)
        output = writer.tensor((work.batch, layer.out_features), "FLOAT32")
        writer.fully_connected([last, weight, bias], output, layer.activation == "relu")
        last = output
    return writer.finish(first, last)


def static_int8_model(work: DenseWork) -> bytes:
    """int8 in and out: weights symmetric per row, activations asymmetric with ranges from the calibration rows."""
    writer = ModelWriter()
    values = work.calibration.astype(np.float64)
    scale, zero = int8_range(values)
    first = last = writer.tensor(work.x.shape, "INT8", None, scale, zero)
    for layer in work.network.dense_layers():
        rows = np.abs(layer.weight.astype(np.float64)).max(1) / 127
        weight = np.rint(layer.weight / rows[:, None]).astype(np.int8)
        bias = np.rint(layer.bias / (rows * scale)).astype(np.int32)
        zeros = np.zeros(len(rows))
        inputs = [
            last,
            writer.tensor(weight.shape, "INT8", weight, rows, zeros),
            writer.tensor(bias.shape, "INT32", bias, rows * scale, zeros),
        ]
        values = values @ layer.weight.T.astype(np.float64) + layer.bias
        if layer.activation == "relu":
            values = np.maximum(values, 0)
        scale, zero = int8_range(values)
        last = writer.tensor((work.batch, layer.out_features), "INT8", None, scale, zero)
        writer.fully_connected(inputs, last, layer.activation == "relu")
    return writer.finish(first, last)


def int8_range(values: npt.NDArray[np.float64]) -> tuple[float, int]:
    """Scale and zero point of int8 for these values and 0."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = (high - low) / 255
    return scale, round(-128 - low / scale)
