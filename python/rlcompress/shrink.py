"""Networks to smaller dense ones that keep the neurons and inputs that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray, Int8Array, frozen
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, IntegerDense, Layer, QuantizedDense
from rlcompress.layers.quantized_dense import INTEGER_LIMIT
from rlcompress.network import Network

_FUNCTIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, np.float32(0)),
    "tanh": np.tanh,
}


def hidden_values(network: Network, inputs: FloatArray) -> list[FloatArray]:
    """What each hidden layer gives on normalised `inputs` (n, inputs): one (n, width) array per hidden layer.

    Raises:
        InvalidValueError: an activation other than identity, relu and tanh.
    """
    values, found = network.contract.select(np.asarray(inputs, np.float32)), []
    for layer in network.dense_layers()[:-1]:
        if layer.activation not in _FUNCTIONS:
            known = ", ".join(_FUNCTIONS)
            raise InvalidValueError(f"shrink: hidden activation in {known} expected, found {layer.activation}")
        values = _FUNCTIONS[layer.activation](values @ layer.weight.T + layer.bias).astype(np.float32)
        found.append(values)
    return found


def neuron_saliency(values: FloatArray, following: Dense) -> FloatArray:
    """How much each neuron moves the next layer.

    Its standard deviation times the norm of its outgoing weights; (width,).
    """
    norm = np.sqrt(np.square(following.weight).sum(0))
    return np.asarray(values.std(0) * norm, np.float32)


def keep_neurons(network: Network, widths: Sequence[int], inputs: FloatArray) -> Network:
    """The network with only its most salient neurons; what a dropped neuron gives on average moves into the next bias.

    Args:
        network: float32 dense layers.
        widths: neurons to keep in each hidden layer; not more than there are.
        inputs: (n, inputs) float32, normalised observations to measure on.

    Raises:
        InvalidValueError: another number of widths than hidden layers, or a width out of range.
    """
    layers = list(network.dense_layers())
    if len(widths) != len(layers) - 1:
        raise InvalidValueError(f"keep_neurons: {len(layers) - 1} widths expected, found {len(widths)}")
    values = hidden_values(network, inputs)
    for index, width in enumerate(widths):
        here, following = layers[index], layers[index + 1]
        if not 1 <= width <= here.out_features:
            raise InvalidValueError(f"keep_neurons: width 1..{here.out_features} expected, found {width}")
        order = np.argsort(-neuron_saliency(values[index], following), kind="stable")
        keep = np.sort(order[:width])
        drop = np.sort(order[width:])
        layers[index] = Dense(here.weight[keep], here.bias[keep], here.activation, here.alpha)
        bias = following.bias + following.weight[:, drop] @ values[index][:, drop].mean(0)
        layers[index + 1] = Dense(following.weight[:, keep], bias, following.activation, following.alpha)
    return network.with_layers(layers)


def input_saliency(network: Network, spread: FloatArray) -> FloatArray:
    """How much each input that the network reads moves its first layer.

    Args:
        network: any layers.
        spread: (inputs,) typical size of each value of a normalised observation, such as its standard deviation.

    Returns:
        (network_inputs,) float32: the norm of the input's weights times its spread.
    """
    norm = np.sqrt(np.square(network.layers[0].dense_float().weight.astype(np.float64)).sum(0))
    return np.asarray(norm * network.contract.select(_of_observation(network, spread, "spread")), np.float32)


def drop_inputs(network: Network, drop: Sequence[int], mean: FloatArray) -> Network:
    """The network without some of its inputs; what they give on average moves into the first bias.

    Args:
        network: any layers. An int8 or int4 bias takes what is dropped in whole steps and up to its limit.
        drop: indices of observation values that the network reads, in any order; not all of them.
        mean: (inputs,) of the normalised observations.

    Raises:
        InvalidValueError: `drop` names a value twice, one that is not read, or all.
    """
    contract = network.contract
    read = contract.kept_inputs
    gone, known = set(drop), set(read)
    if len(gone) != len(drop) or not gone <= known or gone == known:
        raise InvalidValueError(
            f"drop_inputs: different indices of some of the {len(known)} values that are read expected, "
            f"found {list(drop)!s:.80}"
        )
    keep = np.array([index not in gone for index in read])
    values = contract.select(_of_observation(network, mean, "mean"))
    first = _without_columns(network.layers[0], keep, values)
    selected = tuple(index for index in read if index not in gone)
    return replace(network, layers=(first, *network.layers[1:]), contract=replace(contract, selected=selected))


def _of_observation(network: Network, values: FloatArray, name: str) -> FloatArray:
    return frozen(values, np.float64, (network.contract.input_size,), name)


def _without_columns(layer: Layer, keep: npt.NDArray[np.bool_], values: FloatArray) -> Layer:
    """The layer with the columns `keep`; the others, at `values` (in_features,), go into the bias."""
    mask = None if layer.mask is None else layer.mask[:, keep]
    weight = layer.weight[:, ~keep].astype(np.float64)
    if isinstance(layer, Dense):
        whole = np.asarray(layer.bias + weight @ values[~keep], np.float32)
        return replace(layer, weight=layer.weight[:, keep], bias=whole, mask=mask)
    if isinstance(layer, IntegerDense):
        read = np.clip(np.rint(layer.steps(values)) + layer.input_zero, 0, 255)
        shifted = layer.bias + weight @ read[~keep]
        exponent = None if layer.column_exponent is None else layer.column_exponent[keep]
        return replace(layer, weight=layer.weight[:, keep], bias=shifted, column_exponent=exponent, mask=mask)
    column = layer.column_exponent
    if column is not None:
        values = values * np.exp2(column.astype(np.float64))
        column = column[keep]
    bias = _with_steps(layer, weight @ values[~keep])
    return replace(layer, weight=layer.weight[:, keep], bias=bias, column_exponent=column, mask=mask)


def _with_steps(layer: QuantizedDense, steps: npt.NDArray[np.float64]) -> Int8Array | FloatArray:
    """The layer's bias with `steps` (out_features,) of its scale added."""
    if layer.bias.dtype != np.int8:
        return np.asarray(layer.bias + layer.row_factor() * steps, np.float32)
    limit = INTEGER_LIMIT[layer.bits]
    return np.clip(np.rint(layer.bias + steps), -limit, limit).astype(np.int8)
