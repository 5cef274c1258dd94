"""Metrics: how well outputs fit targets, one value per row; larger is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require

Rows = npt.NDArray[np.float64]
Metric = Union[str, Callable[[Any, Any], float]]
"""A name of `METRICS`, or a function of (outputs, targets) over all rows that gives one number, larger is better;
outputs come in the form that the model gives them, each tensor over all rows."""


def accuracy(outputs: Any, targets: Any) -> Rows:
    """1 where the largest output is the target's class; rows that hold NaN score 0.

    Args:
        outputs: (rows, classes, ...) tensor.
        targets: (rows, ...) tensor of whole numbers; bool for two classes alone.
    """
    _check_classes(outputs, targets)
    right = (outputs.argmax(1) == targets) & ~outputs.isnan().any(1)
    return _per_row(right)


def cross_entropy(outputs: Any, targets: Any) -> Rows:
    """Logarithm of the probability given to the target's class, from logits as in `accuracy`."""
    functional = require("torch.nn.functional")
    _check_classes(outputs, targets)
    return _per_row(-functional.cross_entropy(outputs.float(), targets.long(), reduction="none"))


def squared_error(outputs: Any, targets: Any) -> Rows:
    """Negative squared error, the mean over a row's values; both of the same shape."""
    _check_tensor(outputs)
    if outputs.shape != targets.shape:
        raise InvalidValueError(
            f"data: targets of the outputs' shape {tuple(outputs.shape)} expected, found {tuple(targets.shape)}"
        )
    return _per_row(-(outputs - targets).double().square())


METRICS: dict[str, Callable[[Any, Any], Rows]] = {
    "accuracy": accuracy,
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
}


def _per_row(values: Any) -> Rows:
    rows: Rows = values.reshape(len(values), -1).double().mean(1).cpu().numpy()
    return rows


def joined(outputs: Sequence[Any]) -> Any:
    """A model's outputs over all rows out of those of its batches, in the form it gives them: tensors are concatenated
    (stacked where they have no rows), also in tuples and dicts; of anything else the list.
    """
    torch = require("torch")
    first = outputs[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(list(outputs)) if first.ndim else torch.stack(list(outputs))
    if isinstance(first, Mapping):
        return {name: joined([output[name] for output in outputs]) for name in first}
    if isinstance(first, (tuple, list)):
        parts = [joined(values) for values in zip(*outputs)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return list(outputs)


def _check_tensor(outputs: Any) -> None:
    if not isinstance(outputs, require("torch").Tensor):
        raise InvalidValueError(
            f"metric: one tensor as the model's output expected, found {type(outputs).__name__}; give metric=a "
            "function of (outputs, targets), which gets them in the form that the model gives them"
        )


def _check_classes(outputs: Any, targets: Any) -> None:
    _check_tensor(outputs)
    if getattr(outputs, "ndim", 0) < 2 or outputs.shape[1] < 2:
        shape = tuple(getattr(outputs, "shape", ()))
        raise InvalidValueError(
            f"metric: outputs of shape (rows, classes >= 2, ...) expected, found {shape}; give metric=callable"
        )
    if targets.is_floating_point() or targets.shape != outputs.shape[:1] + outputs.shape[2:]:
        raise InvalidValueError(
            f"data: classes as whole numbers of shape {tuple(outputs.shape[:1] + outputs.shape[2:])} expected, found "
            f"{targets.dtype} {tuple(targets.shape)}"
        )
    if targets.dtype is require("torch").bool and outputs.shape[1] > 2:
        raise InvalidValueError(
            f"data: classes 0..{outputs.shape[1] - 1} as whole numbers expected, found bool, which tells two classes "
            "apart; if they are classes 0 and 1, give y.astype(int)"
        )
    if int(targets.min()) < 0 or int(targets.max()) >= outputs.shape[1]:
        raise InvalidValueError(
            f"data: classes 0..{outputs.shape[1] - 1} expected, found {int(targets.min())}..{int(targets.max())}"
        )
