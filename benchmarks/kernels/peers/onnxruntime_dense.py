"""onnxruntime's `run()` from NumPy to NumPy."""

from __future__ import annotations

from timing import Prepared, inlined
from work import DenseWork

from peers import library
from peers.onnx_models import float32_model, static_int8_model


def float32(work: DenseWork) -> Prepared:
    return _session(work, float32_model)


def static_int8(work: DenseWork) -> Prepared:
    """Static QDQ, float32 in and out."""
    return _session(work, static_int8_model)


def _session(work: DenseWork, model) -> Prepared:  # type: ignore[no-untyped-def]
    ort = library("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model(work), options, providers=["CPUExecutionProvider"])
    return inlined(['run(names, {"x": x})[0]'], {"run": session.run, "names": ["y"], "x": work.x}, work.turns)
