"""onnxruntime's dense MatMul, which ignores the zeros."""

from __future__ import annotations

import numpy as np
from timing import Prepared
from work import SparseWork, aligned

from peers import library


def dense(work: SparseWork) -> Prepared:
    """`x.T @ weight.T`: as the right operand, constant weights are packed when the session is made."""
    onnx, ort = library("onnx"), library("onnxruntime")
    value, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    rows = aligned(work.x.reshape(work.n, -1).T)
    weight = onnx.numpy_helper.from_array(np.ascontiguousarray(work.weight.T), "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    shape = list(rows.shape)
    graph = onnx.helper.make_graph([node], "product", [value("x", real, shape)], [value("y", real, shape)], [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 9
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run, names, feed = session.run, ["y"], {"x": rows}
    return Prepared(lambda: run(names, feed)[0], lambda: run(names, feed)[0].T.reshape(work.x.shape))
