"""What a model takes and gives, whatever its form: one tensor, several, or named ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class InputType:
    """How values must come for a model.

    Args:
        floating: type of its floating parameters; None leaves values as they are.
        whole: whether whole numbers stay int64, as indices of an embedding must, or become floating.
    """

    floating: torch.dtype | None = None
    whole: bool = False

    def cast(self, value: Any) -> Any:
        """An array or tensor as the model takes it."""
        torch = require("torch")
        found = as_tensor(value, "x")
        if found.is_floating_point() or not self.whole:
            return found.to(self.floating or torch.float32)
        return found.long() if found.dtype != torch.bool else found


def as_tensor(value: Any, name: str) -> Any:
    """A tensor as it is; what NumPy takes as an array of numbers, copied.

    Raises:
        InvalidValueError: text, objects or rows of different lengths.
    """
    torch = require("torch")
    if torch.is_tensor(value):
        return value
    try:
        array = np.array(value)
    except ValueError as error:
        raise InvalidValueError(f"data: {name} as one array expected: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"data: {name} of numbers expected, found {array.dtype}; encode it, classes by "
            "np.unique(y, return_inverse=True)[1]"
        )
    return torch.from_numpy(array)


def input_type(model: torch.nn.Module) -> InputType:
    """What a model's parameters and embeddings ask for."""
    nn = require("torch.nn")
    floating = (value.dtype for value in model.parameters() if value.is_floating_point())
    whole = any(isinstance(module, (nn.Embedding, nn.EmbeddingBag)) for module in model.modules())
    return InputType(next(floating, None), whole)


def mapped(x: Any, change: Callable[[Any], Any]) -> Any:
    """x with each of its parts changed: a tensor, a tuple of arguments or a dict of named ones."""
    if isinstance(x, Mapping):
        return {name: change(value) for name, value in x.items()}
    return tuple(change(value) for value in x) if isinstance(x, (tuple, list)) else change(x)


def parts(x: Any) -> tuple[Any, ...]:
    """The tensors of x."""
    if isinstance(x, Mapping):
        return tuple(x.values())
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def taken(x: Any, rows: Any) -> Any:
    """These rows of x, by slice or indices."""
    return mapped(x, lambda part: part[rows])


def pieces(x: Any, rows: int, size: int) -> list[Any]:
    """x cut into parts of `size` rows; None stays None in each."""
    return [None if x is None else taken(x, slice(at, at + size)) for at in range(0, rows, size)]


def outputs_of(model: Callable[..., Any], x: Any) -> Any:
    """What a model gives for a batch, a tensor; of several outputs the `logits`, or else the first tensor.

    Raises:
        InvalidValueError: it does not run on these values, or gives no tensor.
    """
    torch = require("torch")
    try:
        found = model(**x) if isinstance(x, Mapping) else model(*(x if isinstance(x, tuple) else (x,)))
    except Exception as error:
        given = ", ".join(f"{tuple(part.shape)} {part.dtype}".replace("torch.", "") for part in parts(x))
        raise InvalidValueError(
            f"data: the model cannot run on rows of {given}: {type(error).__name__}: {error}"
        ) from error
    if isinstance(found, Mapping):
        found = (found["logits"],) if "logits" in found else tuple(found.values())
    first = next((value for value in parts(found) if isinstance(value, torch.Tensor)), None)
    if first is None:
        raise InvalidValueError(
            f"model: a tensor, or several, expected as its output, found {type(found).__name__}; wrap the model in a "
            "module that returns what is to be trained"
        )
    return first
