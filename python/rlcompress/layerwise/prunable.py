"""`Prunable`: any torch module or `Network` as a list of weights that can be pruned, in forward order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.importers.torch_module import to_torch
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.traced_layers import Call, Site, prunable_sites, trace_calls
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.training.private_copy import preserved_generators, private_copy, sharing_copy, unwrapped
from rlcompress.training.weight_masks import patterns_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class PrunableLayer:
    """One weight that can be pruned.

    Attributes:
        name: qualified parameter name, such as `conv1.weight` (of its first owner where it is shared).
        kind: `linear`, `conv1d`, `conv2d` or `conv3d`.
        weight: the dense weights, float32 in their own shape, read-only; zero where pruned before.
        groups: of a convolution, else 1.
        macs: multiply-accumulates per row of the traced forward (weights, where nothing was traced).
        outputs: values that the layer gives per row (0 where nothing was traced).
        held: where False, the weight was pruned before and stays zero; None = nowhere.
    """

    name: str
    kind: str
    weight: FloatArray
    groups: int = 1
    macs: int = 0
    outputs: int = 0
    held: BoolArray | None = None

    @property
    def size(self) -> int:
        """Weights of the layer."""
        return int(self.weight.size)

    @property
    def ceiling(self) -> int:
        """Weights that may be kept: all but those pruned before."""
        return self.size if self.held is None else int(np.count_nonzero(self.held))


class Prunable:
    """A model with named prunable weights.

    Made by `prunable`. Works on a private copy: the user's object, its mode and all generators stay as they are.

    Attributes:
        layers: what can be pruned, in forward order.
        notes: what was skipped or changed, and why.
        network: the `Network` it was made of, with float32 layers, or None.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layers: Sequence[PrunableLayer],
        owners: Sequence[str],
        notes: Sequence[str],
        network: Network | None = None,
    ) -> None:
        self.layers = tuple(layers)
        self.notes = tuple(notes)
        self.network = network
        self._model = model
        self._owners = tuple(owners)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Weights per layer."""
        return tuple(layer.size for layer in self.layers)

    @property
    def ceilings(self) -> tuple[int, ...]:
        """Weights that may be kept per layer."""
        return tuple(layer.ceiling for layer in self.layers)

    def plan(self, kept: Sequence[int]) -> Plan:
        """The plan that keeps these counts (at most the ceilings).

        Raises:
            InvalidValueError: another number of counts than layers, or a count outside its layer.
        """
        plan = Plan(tuple(layer.name for layer in self.layers), self.sizes, tuple(kept))
        return replace(plan, kept=tuple(min(count, top) for count, top in zip(plan.kept, self.ceilings)))

    def masks(self, plan: Plan) -> list[BoolArray]:
        """One bool array per layer, of the weight's shape; True = kept. The plan's layers are found by name.

        Raises:
            InvalidValueError: the plan is for other layers.
        """
        return list(self._each_mask(plan))

    def apply(self, plan_or_masks: Plan | Sequence[BoolArray], prune_masks: bool = False) -> torch.nn.Module:
        """A copy of the model with real zeros, in the mode of the user's model.

        Args:
            plan_or_masks: a plan, or one mask per layer (True = kept).
            prune_masks: also register masks of `torch.nn.utils.prune`, so that training keeps the zeros.

        Raises:
            InvalidValueError: a plan for other layers, or masks that do not fit.
        """
        torch, prune = require("torch"), require("torch.nn.utils.prune")
        masks = self._masks(plan_or_masks)
        twin = private_copy(self._model).model
        for index, mask in enumerate(masks):
            module, name = self.owner(twin, index)
            parameter = getattr(module, name)
            tensor = torch.tensor(mask, device=parameter.device)
            with torch.no_grad():
                parameter.masked_fill_(~tensor, 0)
            if prune_masks:
                prune.custom_from_mask(module, name, tensor)
        return twin

    def apply_network(self, plan_or_masks: Plan | Sequence[BoolArray]) -> Network:
        """The `Network` that this was made of, under the masks.

        Raises:
            UnsupportedError: it was made of a torch module.
        """
        if self.network is None:
            raise UnsupportedError("this model was given as a torch module; use from_torch(prunable.apply(plan))")
        masks = dict(zip(self._owners, self._masks(plan_or_masks)))
        places = [name for name, module in self._model.named_modules() if hasattr(module, "weight")]
        layers = [
            layer.with_mask(masks[f"{place}.weight"]) if f"{place}.weight" in masks else layer
            for place, layer in zip(places, self.network.dense_layers())
        ]
        return self.network.with_layers(layers)

    def network_of(self, module: torch.nn.Module, plan_or_masks: Plan | Sequence[BoolArray]) -> Network:
        """The `Network` that this was made of, with weights and biases of a copy that `apply` gave, trained or not.

        Raises:
            UnsupportedError: it was made of a torch module.
        """
        masked = self.apply_network(plan_or_masks)
        parts = [part for part in module.modules() if hasattr(part, "weight")]
        layers = [
            replace(layer, weight=_float32(part.weight), bias=_float32(part.bias))
            for part, layer in zip(parts, masked.dense_layers())
        ]
        return masked.with_layers(layers)

    def working_copy(self) -> torch.nn.Module:
        """A frozen copy in evaluation mode that shares the dense weights' memory until a weight is replaced."""
        return sharing_copy(self._model).eval()

    def owner(self, twin: torch.nn.Module, index: int) -> tuple[torch.nn.Module, str]:
        """The module of a copy that holds layer `index`, and the parameter's name in it."""
        path, _, name = self._owners[index].rpartition(".")
        return twin.get_submodule(path), name

    def _each_mask(self, plan: Plan) -> Iterator[BoolArray]:
        """One at a time: those of a large model together take a quarter of its memory."""
        self._check(plan)
        kept = dict(zip(plan.layers, plan.kept))
        return (layer_mask(layer, kept[layer.name]) for layer in self.layers)

    def _masks(self, plan_or_masks: Plan | Sequence[BoolArray]) -> Iterable[BoolArray]:
        if isinstance(plan_or_masks, Plan):
            return self._each_mask(plan_or_masks)
        masks = [np.asarray(mask) for mask in plan_or_masks]
        if len(masks) != len(self.layers):
            raise InvalidValueError(f"masks: one per layer expected ({len(self.layers)}), found {len(masks)}")
        for layer, mask in zip(self.layers, masks):
            if mask.dtype != np.bool_ or mask.shape != layer.weight.shape:
                raise InvalidValueError(
                    f"masks: {layer.name}: bool of shape {layer.weight.shape} expected, found {mask.dtype} {mask.shape}"
                )
        return [mask if layer.held is None else mask & layer.held for layer, mask in zip(self.layers, masks)]

    def _check(self, plan: Plan) -> None:
        planned, here = dict(zip(plan.layers, plan.sizes)), {layer.name: layer.size for layer in self.layers}
        for name in (*planned, *here):
            if planned.get(name) != here.get(name):
                told = (f"{known[name]} weights" if name in known else "no such layer" for known in (planned, here))
                raise InvalidValueError("plan: for another model: {}: {} in the plan, {} here".format(name, *told))


def layer_mask(layer: PrunableLayer, kept: int) -> BoolArray:
    """Mask of the `kept` largest magnitudes of a layer; equal ones by lower index."""
    mask = np.empty(layer.weight.shape, np.bool_)
    if layer.held is None:
        kernels.keep_largest([layer.weight], kept, [mask])
        return mask
    # Held zeros rank below kept zeros: rank what is left alone.
    mask[...] = False
    inside = np.ascontiguousarray(layer.weight[layer.held])
    chosen = np.empty(inside.shape, np.bool_)
    kernels.keep_largest([inside], min(kept, inside.size), [chosen])
    mask[layer.held] = chosen
    return mask


def prunable(model: torch.nn.Module | Network, example_inputs: Any = None, skip: Sequence[str] = ()) -> Prunable:
    """Find what can be pruned in a model, by one traced forward.

    Args:
        model: any torch module, or a `Network` (float32 layers of it). Linear and Conv1d to Conv3d weights are found,
            grouped and depthwise ones too; biases and all else stay dense; a shared weight counts once. The module
            inside of `DataParallel` or of what `torch.compile` gives stands for it, in names and in copies.
        example_inputs: a tensor or array, a tuple of arguments or a dict of named ones, for the forward that finds
            order and cost. Without it, layers come in order of registration and cost is counted in weights.
        skip: names or patterns (`head`, `blocks.*.conv1`) of modules or parameters to leave dense, or one of them.

    Raises:
        InvalidValueError: no such model, a forward that fails, a `skip` that matches nothing, weights that are not
            finite, or nothing left to prune.
    """
    network = None
    module, wrappers = unwrapped(model)
    if isinstance(model, Network):
        network = model.dense_float()
        module = to_torch(network)
        example_inputs = np.zeros((1, network.input_size), np.float32)
    with preserved_generators():
        copied = private_copy(module)
        sites, notes = prunable_sites(copied.model, patterns_of(skip))
        calls = None if example_inputs is None else trace_calls(copied.model, sites, example_inputs)
    notes = [*wrappers, *copied.notes, *notes]
    if calls is None:
        notes.append("no example inputs: layers are in order of registration")
        calls = {id(site.parameter): Call(int(site.parameter.numel()), 0) for site in sites}
    found = {id(site.parameter): site for site in sites}
    notes += [
        f"{site.name}: skipped, the traced forward does not call it" for key, site in found.items() if key not in calls
    ]
    chosen = [(found[key], call) for key, call in calls.items()]
    if not chosen:
        reasons = "; ".join(notes) or "no Linear or convolution in it"
        raise InvalidValueError(f"model: {type(model).__name__} has nothing to prune: {reasons}")
    layers = [_layer(site, call, copied.held) for site, call in chosen]
    return Prunable(copied.model, layers, [site.name for site, _ in chosen], notes, network)


def _float32(tensor: Any) -> FloatArray:
    found: FloatArray = tensor.detach().to(device="cpu", dtype=require("torch").float32).numpy().copy()
    return found


def _layer(site: Site, call: Call, held: dict[int, Any]) -> PrunableLayer:
    torch = require("torch")
    # A view of the private copy's memory where that is float32 on the CPU: nothing is stored twice.
    weight = site.parameter.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy().view()
    weight.flags.writeable = False
    if not np.isfinite(weight).all():
        raise InvalidValueError(f"model: {site.name} holds NaN or infinity; its weights cannot be ranked")
    mask = held.get(id(site.parameter))
    return PrunableLayer(
        site.name,
        site.kind,
        weight,
        site.groups,
        call.macs,
        call.outputs,
        None if mask is None else mask.cpu().numpy(),
    )


ModelLike = Union["torch.nn.Module", Network, Prunable]
