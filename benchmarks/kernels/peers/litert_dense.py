"""LiteRT with XNNPACK: set the input, invoke, get the output."""

from __future__ import annotations

from typing import Any

import numpy as np
from timing import Prepared, inlined
from work import DenseWork

from peers import library
from peers.litert_models import float32_model, static_int8_model


def float32(work: DenseWork) -> Prepared:
    interpreter, first, last = _interpreter(float32_model(work))
    return _calls(interpreter, first, last, work.x, turns=work.turns)


def static_int8(work: DenseWork) -> Prepared:
    """int8 in and out: what the caller pays for converting is not counted."""
    interpreter, first, last = _interpreter(static_int8_model(work))
    scale, zero = interpreter.get_input_details()[0]["quantization"]
    x, *turns = (np.clip(np.rint(one / scale) + zero, -128, 127).astype(np.int8) for one in [work.x, *work.turns])

    def result() -> Any:
        scale, zero = interpreter.get_output_details()[0]["quantization"]
        return (interpreter.get_tensor(last).astype(np.float64) - zero) * scale

    return _calls(interpreter, first, last, x, turns=turns, result=result)


def _calls(interpreter: Any, first: int, last: int, x: Any, **others: Any) -> Prepared:
    names = {"put": interpreter.set_tensor, "invoke": interpreter.invoke, "get": interpreter.get_tensor}
    return inlined(
        ["put(first, x)", "invoke()", "get(last)"], {**names, "first": first, "last": last, "x": x}, **others
    )


def _interpreter(model: bytes) -> tuple[Any, int, int]:
    module = library("ai_edge_litert.interpreter")
    interpreter = module.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
