"""What a run folder must agree with: digests of the model, of the rows and of who judges."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlcompress.layerwise.prunable import Prunable
from rlcompress.optional import require
from rlcompress.training.tensor_digest import feed_tensor, function_name


def problem_identity(target: Prunable, data: Any, test: Any, metric: Any, evaluate: Any) -> dict[str, Any]:
    """JSON-able digests of a pruning problem.

    Args:
        target: the model, all of whose parameters and buffers count.
        data, test: rows; see `rows_digest`.
        metric: its name; of a function, that of its definition.
        evaluate: of a function, the name of its definition: what it does cannot be seen.
    """
    model = target.working_copy()
    found = hashlib.sha256(repr([(layer.name, layer.weight.shape) for layer in target.layers]).encode())
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        found.update(name.encode())
        _feed(found, value)
    if target.network is not None:
        contract = target.network.contract
        _feed(found, [vars(contract.head), contract.selected, vars(contract.normalisation or contract.head)])
    named = {"metric": function_name(metric), "evaluate": function_name(evaluate)}
    return {"model": found.hexdigest(), "data": rows_digest(data), "test": rows_digest(test), **named}


def rows_digest(data: Any) -> str:
    """Digest of rows: of arrays and lists their values, of a loader the arrays that its dataset holds and its length.

    Nothing is drawn from a loader, whose rows may be shuffled or varied from one reading to the next.
    """
    found = hashlib.sha256()
    _feed(found, data)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    torch = require("torch")
    if value is None or isinstance(value, (bool, int, float, str)):
        found.update(f"{value!r};".encode())
    elif isinstance(value, torch.Tensor):
        feed_tensor(found, value)
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        array = np.asarray(value)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes())
    elif isinstance(value, (list, tuple)):
        found.update(f"{len(value)}[".encode())
        for item in value:
            _feed(found, item)
    elif isinstance(value, Mapping):
        _feed(found, [part for key in sorted(value, key=str) for part in (str(key), value[key])])
    else:
        _feed_object(found, value)


def _feed_object(found: Any, value: Any) -> None:
    """A loader, a dataset or a wrapper of them: its kind, its length, and what arrays it holds."""
    found.update(type(value).__qualname__.encode())
    if hasattr(value, "__len__"):
        found.update(str(len(value)).encode())
    held = getattr(value, "__dict__", {})
    for name in sorted(held):
        if name in ("dataset", "datasets", "batches", "indices", "tensors", "batch_size") or hasattr(
            held[name], "shape"
        ):
            found.update(name.encode())
            _feed(found, held[name])
