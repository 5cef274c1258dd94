"""torch on the CPU."""

from __future__ import annotations

from typing import Any

from timing import Prepared
from work import DenseWork

from peers import library


def eager(work: DenseWork) -> Prepared:
    """`nn.Sequential` in inference mode."""
    torch = library("torch")
    module, x = _module(torch, work), torch.from_numpy(work.x)

    def call() -> Any:
        with torch.inference_mode():
            return module(x)

    return Prepared(call)


def jit(work: DenseWork) -> Prepared:
    """Traced, frozen and optimised for inference."""
    torch = library("torch")
    module, x = _module(torch, work), torch.from_numpy(work.x)
    with torch.no_grad():
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, x)))
        for _ in range(20):
            traced(x)

    def call() -> Any:
        with torch.inference_mode():
            return traced(x)

    return Prepared(call)


def _module(torch: Any, work: DenseWork) -> Any:
    torch.set_num_threads(1)
    parts: list[Any] = []
    for layer in work.network.dense_layers():
        linear = torch.nn.Linear(layer.in_features, layer.out_features)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight))
            linear.bias.copy_(torch.tensor(layer.bias))
        parts.append(linear)
        if layer.activation == "relu":
            parts.append(torch.nn.ReLU())
    return torch.nn.Sequential(*parts).eval()
