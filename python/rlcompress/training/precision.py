"""Training in float32 what is stored in half precision: Adam's squares of small gradients are zero there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


def stored_types(model: torch.nn.Module) -> dict[str, torch.dtype]:
    """Type of each parameter and buffer by name."""
    return {name: value.dtype for name, value in _values(model)}


def widen(model: torch.nn.Module) -> None:
    """Put the model in float32 where a parameter has fewer bits; it keeps its parameter objects."""
    torch = require("torch")
    if any(value.dtype in (torch.float16, torch.bfloat16) for value in model.parameters()):
        model.float()


def restore(model: torch.nn.Module, types: Mapping[str, torch.dtype]) -> None:
    """Put parameters and buffers back in these types."""
    for name, value in _values(model):
        value.data = value.data.to(types[name])


def _values(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    return chain(model.named_parameters(), model.named_buffers())
