"""Networks as fitted scikit-learn perceptrons."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Raw
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.importers.scikit_learn import ACTIVATIONS, Scaling, is_binary, scaling_of, steps_of
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import Float64Array

Layers = list[tuple[Float64Array, Float64Array]]


def to_sklearn(network: Network, *, like: Any) -> Any:
    """A fitted copy of an estimator with the network's layers in place of its own.

    It predicts what the network does, up to rounding, takes the same rows and gives the same classes as `like`. Inputs
    that the network dropped become columns of zeros, because an estimator takes every column that it was fitted on.
    Fitting it further starts a new optimiser.

    Args:
        network: dense layers with one hidden activation of relu, tanh, sigmoid or identity; masks become zeros,
            quantized layers are dequantized.
        like: a fitted estimator that `from_sklearn` takes, such as the one that the network was made of. Left as it is.

    Raises:
        InvalidValueError: inputs or outputs differ from those of `like`.
        UnsupportedError: layers, a head or scaling that no scikit-learn perceptron has.
    """
    if not isinstance(network.contract.head, (Raw, Argmax)):
        raise UnsupportedError(
            f"to_sklearn: a raw or argmax head expected, found {network.contract.head.kind}, which bounds the outputs; "
            "scikit-learn has none"
        )
    made = copy.deepcopy(like)
    scalers, perceptron = steps_of(made)
    inputs, outputs = int(perceptron.n_features_in_), _outputs(perceptron)
    if (network.contract.input_size, network.output_size) != (inputs, outputs):
        found = f"{network.contract.input_size} inputs and {network.output_size} outputs"
        raise InvalidValueError(f"like: {inputs} inputs and {outputs} outputs, the network has {found}")
    dense = network.dense_float().dense_layers()
    activation = _activation(dense, perceptron.activation)
    layers: Layers = [(layer.weight.astype(np.float64), layer.bias.astype(np.float64)) for layer in dense]
    layers[0] = _rescaled(network, layers[0], scaling_of(scalers, inputs))
    if is_binary(perceptron):
        weight, bias = layers[-1]
        layers[-1] = (weight[1:] - weight[:1], bias[1:] - bias[:1])
    dtype = perceptron.coefs_[0].dtype
    perceptron.coefs_ = [np.ascontiguousarray(weight.T, dtype) for weight, _ in layers]
    perceptron.intercepts_ = [bias.astype(dtype) for _, bias in layers]
    perceptron.n_layers_ = len(layers) + 1
    perceptron.set_params(hidden_layer_sizes=tuple(layer.out_features for layer in dense[:-1]), activation=activation)
    perceptron.__dict__.pop("_optimizer", None)  # it holds the old arrays
    return made


def _outputs(perceptron: Any) -> int:
    return 2 if is_binary(perceptron) else int(perceptron.n_outputs_)


def _activation(dense: tuple[Dense, ...], present: str) -> str:
    """scikit-learn's word for the hidden activation; the present one where there is no hidden layer."""
    names = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    if dense[-1].activation != "identity":
        raise UnsupportedError(
            f"to_sklearn: the last layer ends in {dense[-1].activation}; scikit-learn has none there"
        )
    used = sorted({layer.activation for layer in dense[:-1]})
    strange = [word for word in used if word not in names]
    if strange or len(used) > 1:
        known = ", ".join(names)
        raise UnsupportedError(f"to_sklearn: one hidden activation of {known} expected, found {', '.join(used)}")
    return names[used[0]] if used else present


def _rescaled(network: Network, first: tuple[Float64Array, Float64Array], scaling: Scaling) -> Any:
    """The first layer over every scaled column of the estimator, where it reads chosen, normalised ones."""
    weight, bias = first
    contract = network.contract
    whole = np.zeros((len(weight), contract.input_size))
    whole[:, list(contract.kept_inputs)] = weight
    own = contract.normalisation
    if own == scaling.normalisation:
        return whole, bias
    if own is None:
        return whole / scaling.factor, bias - whole @ (scaling.offset / scaling.factor)
    if np.isfinite(own.clip):
        raise UnsupportedError(
            f"to_sklearn: the network clips its inputs at {own.clip:g}, which no step of `like` does; take a network "
            "that scales without clipping"
        )
    mean, scale = own.mean.astype(np.float64), own.scale.astype(np.float64)
    factor = 1 / (scaling.factor * scale)
    offset = (-scaling.offset / scaling.factor - mean) / scale
    return whole * factor, bias + whole @ offset
