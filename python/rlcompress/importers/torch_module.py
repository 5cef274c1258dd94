"""Between `torch.nn.Sequential` and `Network`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Contract
from rlcompress.errors import UnsupportedError
from rlcompress.importers.batch_norm import folded, is_batch_norm
from rlcompress.importers.options import ImportOptions
from rlcompress.importers.torch_contract import acting, observing
from rlcompress.layers import Dense
from rlcompress.layers.activation import Activation
from rlcompress.network import Network
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch

_REMEDY = "rebuild the model as nn.Sequential of nn.Linear and activations"
_PLAIN: dict[str, Activation] = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "SiLU": "silu"}
_ALPHA: dict[str, tuple[Activation, str]] = {"ELU": ("elu", "alpha"), "LeakyReLU": ("leaky_relu", "negative_slope")}
_PASSES = ("Identity", "Dropout", "AlphaDropout")


def from_torch(module: torch.nn.Module, contract: Contract | None = None) -> Network:
    """The network that a torch module computes in evaluation mode.

    Args:
        module: `nn.Linear` or `nn.Sequential` (nested and subclassed ones too) of `nn.Linear`, ReLU, Tanh, Sigmoid,
            ELU, SiLU, LeakyReLU, PReLU of one slope, GELU(approximate="tanh"), Identity, Dropout, Flatten and
            BatchNorm1d between a linear layer and its activation, which it is folded into; on any device; any
            floating type, rounded to float32. Masks of `torch.nn.utils.prune` become `Dense.mask`. Left as it is.
        contract: input and output; a flat observation and raw outputs unless given.

    Raises:
        InvalidValueError: layers that fit neither each other nor the contract; weights that are not finite in float32.
        UnsupportedError: any other module, hook or place of an activation.
    """
    layers: list[Dense] = []
    open_for_activation = False
    for path, leaf in _leaves(module, type(module).__name__):
        if _is_linear(leaf):
            layers.append(_dense(leaf, path))
            open_for_activation = True
        elif is_batch_norm(leaf):
            if not open_for_activation:
                raise UnsupportedError(
                    f"{path}: BatchNorm1d must follow a linear layer, before its activation; {_REMEDY}"
                )
            layers[-1] = folded(layers[-1], leaf, path)
        elif (activation := _activation(leaf, path)) is not None:
            if not open_for_activation:
                raise UnsupportedError(f"{path}: an activation must follow a linear layer directly; {_REMEDY}")
            layers[-1] = replace(layers[-1], activation=activation[0], alpha=activation[1])
            open_for_activation = False
    if not layers:
        raise UnsupportedError(f"{type(module).__name__}: no linear layer found; {_REMEDY}")
    return Network(layers=tuple(layers), contract=contract)  # type: ignore[arg-type]  # None stands for the default


def to_torch(network: Network, *, with_contract: bool = False) -> torch.nn.Sequential:
    """The network's layers as float32 torch modules on the CPU.

    Masks become masks of `torch.nn.utils.prune`, so that training keeps them. Quantized layers are dequantized.

    Args:
        network: any.
        with_contract: with normalisation and selection before the layers and the head behind them: observations in,
            actions out, as `Runtime` gives them up to rounding. `from_torch` takes the layers alone.

    Returns:
        Without the contract the layers alone: feed `contract.select(contract.normalisation.apply(observations))`.
    """
    torch = require("torch")
    modules: list[Any] = []
    for layer in network.dense_float().dense_layers():
        # Built without initialisation, so that no random number is drawn.
        linear = torch.nn.utils.skip_init(torch.nn.Linear, layer.in_features, layer.out_features, dtype=torch.float32)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight))
            linear.bias.copy_(torch.tensor(layer.bias))
        if layer.mask is not None:
            require("torch.nn.utils.prune").custom_from_mask(linear, "weight", torch.tensor(layer.mask))
        modules.append(linear)
        if layer.activation != "identity":
            modules.append(_torch_activation(layer))
    if with_contract:
        modules = [observing(network.contract), *modules, acting(network.contract)]
    return torch.nn.Sequential(*modules)  # type: ignore[no-any-return]


def load_torch(source: Any, options: ImportOptions) -> Network:
    """`from_torch` under the options of an import."""
    from rlcompress.errors import InvalidValueError

    if options.action_range is not None:
        raise InvalidValueError(
            "action_range: a torch module has no head; give contract=Contract(..., head=...) instead"
        )
    return from_torch(source, options.contract).with_metadata(source_format="torch")


def _leaves(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    nn = require("torch").nn
    _refuse_hooks(module, path)
    if isinstance(module, nn.Sequential):
        if type(module).forward is not nn.Sequential.forward:
            raise UnsupportedError(
                f"{path}: {type(module).__name__} overrides forward, so its order is unknown; {_REMEDY}"
            )
        for name, child in module.named_children():
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, module


def _refuse_hooks(module: Any, path: str) -> None:
    pruning = require("torch.nn.utils.prune").BasePruningMethod
    before = [hook for hook in module._forward_pre_hooks.values() if not isinstance(hook, pruning)]
    if before or module._forward_hooks:
        raise UnsupportedError(
            f"{path}: forward hooks may change what it computes; remove them (weight_norm too) first"
        )


def _is_linear(leaf: Any) -> bool:
    linear = require("torch").nn.Linear
    return isinstance(leaf, linear) and type(leaf).forward is linear.forward


def _dense(linear: Any, path: str) -> Dense:
    weight, mask = _pruned(linear, "weight")
    bias, _ = _pruned(linear, "bias")
    if bias is None:
        bias = np.zeros(linear.out_features, np.float32)
    if weight is None or weight.ndim != 2:
        raise UnsupportedError(f"{path}: a weight of two dimensions expected; call the model once if it is lazy")
    return Dense(weight=weight, bias=bias, mask=mask)


def _pruned(linear: Any, name: str) -> tuple[FloatArray | None, Any]:
    """A parameter under its mask, and the mask, whether or not a forward pass has applied it yet."""
    parameters, buffers = linear._parameters, linear._buffers
    if f"{name}_orig" in parameters and f"{name}_mask" in buffers:
        mask = buffers[f"{name}_mask"].detach().cpu().numpy() != 0
        return np.where(mask, _array(parameters[f"{name}_orig"]), np.float32(0)), mask
    value = getattr(linear, name)
    return (None if value is None else _array(value)), None


def _array(tensor: Any) -> FloatArray:
    torch = require("torch")
    if tensor.device.type == "meta" or not tensor.is_floating_point():
        raise UnsupportedError(
            f"weights of {tensor.dtype} on {tensor.device}: floating-point values in memory expected"
        )
    array: FloatArray = tensor.detach().to(device="cpu", dtype=torch.float32).numpy()
    return array


def _activation(leaf: Any, path: str) -> tuple[Activation, float] | None:
    """Activation and alpha of a module without weights; None for one that passes its input on."""
    nn = require("torch").nn
    name = type(leaf).__name__
    if type(leaf) is not getattr(nn, name, None):  # a subclass may compute anything
        raise UnsupportedError(f"{path}: {name} is not supported: what it computes cannot be known; {_REMEDY}")
    if name in _PASSES or (name == "Flatten" and (leaf.start_dim, leaf.end_dim) == (1, -1)):
        return None
    if name in _PLAIN:
        return _PLAIN[name], 0.0
    if name in _ALPHA:
        activation, attribute = _ALPHA[name]
        return activation, float(getattr(leaf, attribute))
    if name == "PReLU" and leaf.num_parameters == 1 and 0 <= float(leaf.weight.detach()) <= 1:
        return "leaky_relu", float(leaf.weight.detach())
    if name == "PReLU":
        raise UnsupportedError(f"{path}: PReLU is supported with one slope in 0..1; use nn.LeakyReLU()")
    if name == "GELU" and leaf.approximate == "tanh":
        return "gelu", 0.0
    if name == "GELU":
        raise UnsupportedError(
            f'{path}: nn.GELU() (erf) is not supported; train with nn.GELU(approximate="tanh"), which is'
        )
    if name in ("Softmax", "LogSoftmax"):
        raise UnsupportedError(f"{path}: {name} is not supported; leave it out, the largest output stays the same")
    raise UnsupportedError(f"{path}: {name} is not supported; {_REMEDY}")


def _torch_activation(layer: Dense) -> Any:
    nn = require("torch").nn
    if layer.activation == "gelu":
        return nn.GELU(approximate="tanh")
    for name, (activation, _) in _ALPHA.items():
        if activation == layer.activation:
            return getattr(nn, name)(layer.alpha)
    return getattr(nn, next(name for name, activation in _PLAIN.items() if activation == layer.activation))()
