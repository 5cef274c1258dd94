"""Digests of tensors and names of functions: whether a training goes on from what it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from rlcompress.optional import require


def digest_of(tensors: Iterable[Any]) -> str:
    """SHA-256 of types, shapes and bytes, in order."""
    found = hashlib.sha256()
    for tensor in tensors:
        feed_tensor(found, tensor)
    return found.hexdigest()


def state_digest(module: Any) -> str:
    """SHA-256 of a module's parameters and buffers, their names and their order."""
    tensors = {name: value for name, value in module.state_dict().items() if require("torch").is_tensor(value)}
    return hashlib.sha256(f"{list(tensors)}{digest_of(tensors.values())}".encode()).hexdigest()


def function_name(function: Any) -> str:
    """Module and name of a function's definition, or of the type of a callable object; else its `repr`."""
    if not callable(function):
        return repr(function)
    kind = type(function)
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', kind.__qualname__)}"


def feed_tensor(found: Any, tensor: Any) -> None:
    """Add a tensor to a digest of `hashlib`."""
    plain = tensor.detach().cpu().contiguous()
    found.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
    found.update(plain.reshape(-1).view(require("torch").uint8).numpy().tobytes())
