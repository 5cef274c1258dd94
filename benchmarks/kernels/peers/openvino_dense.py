"""OpenVINO with its input tensor set in advance."""

from __future__ import annotations

from timing import Prepared, inlined
from work import DenseWork

from peers import library
from peers.onnx_models import float32_model, static_int8_model


def float32(work: DenseWork) -> Prepared:
    return _request(work, float32_model)


def static_int8(work: DenseWork) -> Prepared:
    """The model of onnxruntime's static quantisation."""
    return _request(work, static_int8_model)


def _request(work: DenseWork, model) -> Prepared:  # type: ignore[no-untyped-def]
    openvino = library("openvino")
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    settings["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = core.compile_model(core.read_model(model(work)), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(work.x))
    return inlined(["infer()"], {"infer": request.infer}, result=lambda: request.get_output_tensor().data)
