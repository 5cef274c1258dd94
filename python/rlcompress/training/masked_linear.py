"""`MaskedLinear`: a masked linear layer inside torch, on the sparse kernels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from rlcompress import kernels
from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.training.masked_layer import Pattern, aligned


def __getattr__(name: str) -> Any:
    if name == "MaskedLinear":
        return _masked_linear()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _product() -> Any:
    """`y = x W^T + b` as an autograd function of x, the kept weights and b."""
    torch: Any = require("torch")

    class Product(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, kept: Any, bias: Any, pattern: Pattern) -> Any:
            rows = x.reshape(-1, pattern.mask.shape[1])
            values = _columns(rows)
            pattern.matrix.values[:] = kept.detach().numpy()
            found = np.empty((pattern.mask.shape[0], values.shape[1]), np.float32)
            kernels.sparse_multiply(pattern.matrix, values, found, None if bias is None else bias.detach().numpy())
            ctx.pattern, ctx.values, ctx.shape = pattern, values, x.shape
            ctx.save_for_backward(kept)
            result = torch.from_numpy(found[:, : len(rows)].T.copy())
            return result.reshape(*x.shape[:-1], pattern.mask.shape[0])

        @staticmethod
        def backward(ctx: Any, slope: Any) -> Any:
            (kept,) = ctx.saved_tensors
            pattern = ctx.pattern
            rows = slope.reshape(-1, slope.shape[-1])
            slopes = _columns(rows)
            dx = d_kept = d_bias = None
            if ctx.needs_input_grad[0]:
                kernels.gather(kept.detach().numpy(), pattern.source, pattern.transposed.values)
                found = np.empty((pattern.mask.shape[1], slopes.shape[1]), np.float32)
                kernels.sparse_multiply(pattern.transposed, slopes, found)
                dx = torch.from_numpy(found[:, : len(rows)].T.copy()).reshape(ctx.shape)
            if ctx.needs_input_grad[1]:
                gradient = np.empty(len(pattern.places), np.float32)
                pattern.matrix.gradient(ctx.values, slopes, gradient)
                d_kept = torch.from_numpy(gradient)
            if ctx.needs_input_grad[2]:
                d_bias = rows.sum(0)
            return dx, d_kept, d_bias, None

    return Product


def _columns(rows: Any) -> Any:
    values = aligned((rows.shape[1], -(-len(rows) // 16) * 16))
    kernels.transpose(np.ascontiguousarray(rows.detach().numpy()), values)
    return values


@cache
def _masked_linear() -> Any:
    torch: Any = require("torch")

    class MaskedLinear(torch.nn.Module):  # type: ignore[misc]
        """A linear layer whose parameter `kept` holds the kept weights alone, in the order of packing.

        Optimisers thus keep state for kept weights only. `weight` gives the (outputs, inputs) tensor, detached. CPU and
        float32; the mask is a buffer and must not change: make another layer for another mask.

        Args:
            weight: (outputs, inputs) float32 tensor.
            mask: (outputs, inputs) bool tensor or array, True = kept.
            bias: (outputs,) float32 tensor or None.
        """

        def __init__(self, weight: Any, mask: Any, bias: Any = None) -> None:
            super().__init__()
            mask = torch.as_tensor(mask)
            if weight.dtype != torch.float32 or mask.dtype != torch.bool or mask.shape != weight.shape:
                raise InvalidValueError(
                    f"mask: bool of the float32 weight's shape expected, found {mask.dtype} {tuple(mask.shape)} "
                    f"for {weight.dtype} {tuple(weight.shape)}"
                )
            self.register_buffer("mask", mask.clone())
            self.pattern = Pattern(mask.numpy(), inner=True)
            places = torch.from_numpy(self.pattern.places.astype(np.int64))
            self.kept = torch.nn.Parameter(weight.detach().reshape(-1)[places].clone())
            self.bias = None if bias is None else torch.nn.Parameter(bias.detach().clone())

        @classmethod
        def from_linear(cls, linear: Any, mask: Any) -> Any:
            """The masked form of a `torch.nn.Linear`."""
            return cls(linear.weight, mask, linear.bias)

        @property
        def weight(self) -> Any:
            dense = torch.zeros(self.mask.shape)
            dense.reshape(-1)[torch.from_numpy(self.pattern.places.astype(np.int64))] = self.kept.detach()
            return dense

        def forward(self, x: Any) -> Any:
            """(.., inputs) -> (.., outputs)."""
            return _product().apply(x, self.kept, self.bias, self.pattern)

    return MaskedLinear
