"""Which weights of a module can be pruned, in which order a forward calls them, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.training.weight_masks import matches

if TYPE_CHECKING:
    import torch

_KINDS = {"Linear": "linear", "Conv1d": "conv1d", "Conv2d": "conv2d", "Conv3d": "conv3d"}


@dataclass(frozen=True, eq=False)
class Site:
    """A weight that can be pruned, and every module that uses it."""

    name: str
    kind: str
    parameter: torch.nn.Parameter
    groups: int
    modules: tuple[torch.nn.Module, ...]


@dataclass(frozen=True)
class _Dense:
    """A matrix that no layer to prune owns: its `id`, or 0 for all matrices of a module."""

    key: int
    name: str
    reason: str


@dataclass
class Call:
    """What the traced forward did with a weight: multiply-accumulates and outputs per row, over all its calls."""

    macs: int
    outputs: int


def prunable_sites(model: torch.nn.Module, skip: Sequence[str]) -> tuple[list[Site], list[str]]:
    """Weights in order of registration, and notes on what was left out.

    Raises:
        InvalidValueError: a pattern of `skip` matches no module and no parameter.
    """
    torch = require("torch")
    owners: dict[int, list[tuple[str, str, Any]]] = {}
    notes: list[str] = []
    dense: list[_Dense] = []
    unused = set(skip)
    whole = {id(part) for module in model.modules() if _is_whole(module) for part in module.modules()}
    for path, module in model.named_modules():
        matching = {pattern for pattern in skip if matches(path, pattern) or matches(f"{path}.weight", pattern)}
        unused -= matching
        kind = next((kind for name, kind in _KINDS.items() if isinstance(module, getattr(torch.nn, name))), None)
        kind = None if id(module) in whole else kind
        weight = getattr(module, "weight", None)
        name = _join(path, "weight")
        dense += _dense_matrices(path, module, kind, id(module) in whole)
        if kind is None:
            continue
        if not isinstance(weight, torch.nn.Parameter):
            notes.append(f"{name}: skipped, it is not a parameter but {type(weight).__name__}")
        elif matching:
            notes.append(f"{name}: skipped as asked")
        elif (reason := _unfit(weight)) is not None:
            notes.append(f"{name}: skipped, {reason}")
        else:
            owners.setdefault(id(weight), []).append((name, kind, module))
    notes += [
        f"{one.name}: shared with {owners[one.key][0][0]}, pruned with it"
        if one.key in owners
        else f"{one.name}: left dense, {one.reason}"
        for one in dense
    ]
    if unused:
        raise InvalidValueError(f"skip: {sorted(unused)} match no layer; see model.named_modules() for the names")
    sites = []
    for places in owners.values():
        name, kind, module = places[0]
        if len(places) > 1:
            notes.append(f"{name}: shared with {', '.join(place[0] for place in places[1:])}, counted once")
        modules = tuple(place[2] for place in places)
        sites.append(Site(name, kind, module.weight, int(getattr(module, "groups", 1)), modules))
    return sites, notes


def trace_calls(model: torch.nn.Module, sites: Sequence[Site], example_inputs: Any) -> dict[int, Call]:
    """Cost by `id` of parameter, in the order in which a forward in evaluation mode first calls them.

    Raises:
        InvalidValueError: the forward fails on these inputs.
    """
    torch = require("torch")
    args, kwargs, rows = call_arguments(model, example_inputs)
    calls: dict[int, Call] = {}
    hooks = []
    for site in sites:
        for module in site.modules:
            hooks.append(module.register_forward_hook(_Recorder(calls, site, rows)))
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(*args, **kwargs)
    except Exception as error:
        shapes = [tuple(value.shape) for value in (*args, *kwargs.values()) if hasattr(value, "shape")]
        raise InvalidValueError(
            f"model: the forward fails on example inputs of shape {shapes}: {type(error).__name__}: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return calls


def call_arguments(model: torch.nn.Module, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    """Positional and named arguments as tensors on the model's device in its floating type, and the rows in them."""
    first = next(model.parameters(), None)
    if isinstance(inputs, dict):
        args: tuple[Any, ...] = ()
        kwargs = {name: as_input(value, first) for name, value in inputs.items()}
    else:
        values = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
        args, kwargs = tuple(as_input(value, first) for value in values), {}
    shaped = [value for value in (*args, *kwargs.values()) if getattr(value, "ndim", 0) > 0]
    return args, kwargs, int(shaped[0].shape[0]) if shaped else 1


def as_input(value: Any, like: torch.Tensor | None) -> Any:
    """Arrays and tensors on the device of `like`, floating ones in its type; anything else as it is."""
    torch = require("torch")
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.array(value))
    if not isinstance(value, torch.Tensor) or like is None:
        return value
    return value.to(like.device, like.dtype) if value.is_floating_point() else value.to(like.device)


@dataclass(frozen=True, eq=False)
class _Recorder:
    calls: dict[int, Call]
    site: Site
    rows: int

    def __call__(self, module: Any, inputs: Any, output: Any) -> None:
        call = self.calls.setdefault(id(self.site.parameter), Call(0, 0))
        values = output.numel() // max(1, self.rows)
        weight = self.site.parameter
        call.outputs += values
        call.macs += values * (weight.numel() // weight.shape[0])


def _is_whole(module: Any) -> bool:
    """Whether a module computes with the weights of its parts without calling them."""
    nn = require("torch.nn")
    return isinstance(module, (nn.MultiheadAttention, nn.RNNBase))


def _dense_matrices(path: str, module: Any, kind: str | None, whole: bool) -> list[_Dense]:
    """What of a module is not pruned."""
    text = f"{type(module).__name__} is no kind that is pruned"
    if whole:
        return [_Dense(0, path or type(module).__name__, text)] if _is_whole(module) else []
    return [
        _Dense(id(value), _join(path, name), text if name == "weight" else "it is a bare parameter, of no layer")
        for name, value in module.named_parameters(recurse=False)
        if value.dim() > 1 and not (kind and name == "weight")
    ]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unfit(weight: Any) -> str | None:
    if weight.numel() == 0:
        return "it is empty"
    if not weight.requires_grad:
        return "it is frozen (requires_grad is False)"
    if not weight.is_floating_point():
        return f"its type is {weight.dtype}"
    if weight.device.type == "meta":
        return "it has no values (meta device)"
    return None
