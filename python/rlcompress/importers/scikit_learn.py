"""Multilayer perceptrons of scikit-learn, alone or behind scalers in a `Pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Contract, Normalisation, Raw
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.importers.options import ImportOptions
from rlcompress.importers.two_outputs import split_in_two
from rlcompress.layers import Activation, Dense
from rlcompress.network import Network
from rlcompress.problem import Float64Array

ACTIVATIONS: dict[str, Activation] = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
_PERCEPTRONS = ("MLPClassifier", "MLPRegressor")


@dataclass(frozen=True, eq=False)
class Scaling:
    """`factor * x + offset` on each input, as the scalers before a perceptron compute it together.

    Args:
        factor, offset: (inputs,) float64; factor > 0.
    """

    factor: Float64Array
    offset: Float64Array

    def then(self, factor: Any, offset: Any) -> Scaling:
        """This scaling and another one after it."""
        return Scaling(self.factor * factor, self.offset * factor + offset)

    @property
    def normalisation(self) -> Normalisation | None:
        """The same as (x - mean) / scale; None where it changes nothing."""
        if (self.factor == 1).all() and (self.offset == 0).all():
            return None
        return Normalisation((-self.offset / self.factor).astype(np.float32), (1 / self.factor).astype(np.float32))


def from_sklearn(estimator: Any) -> Network:
    """The network of a fitted scikit-learn perceptron.

    Args:
        estimator: `MLPClassifier`, `MLPRegressor`, or a `Pipeline` of `StandardScaler`, `MinMaxScaler`,
            `MaxAbsScaler` or `RobustScaler` steps and such a perceptron. Left as it is.

    Returns:
        A network of raw rows: scalers become its contract's normalisation. For a classifier the head is argmax and the
        action an index into `metadata["classes"]`; two classes get two outputs, of which the larger tells the same
        class. For a regressor the head is raw.

    Raises:
        InvalidValueError: not fitted, or weights that are not finite in float32.
        UnsupportedError: another estimator or step, several labels per row, or an output that is no value.
    """
    scalers, perceptron = steps_of(estimator)
    scaling = scaling_of(scalers, int(perceptron.n_features_in_))
    weights = [np.asarray(matrix, np.float64).T for matrix in perceptron.coefs_]
    biases = [np.asarray(vector, np.float64) for vector in perceptron.intercepts_]
    activation = ACTIVATIONS[perceptron.activation]
    words = [activation] * (len(weights) - 1) + [ACTIVATIONS["identity"]]
    layers = tuple(
        Dense(weight.astype(np.float32), bias.astype(np.float32), word)
        for weight, bias, word in zip(weights, biases, words)
    )
    classes = getattr(perceptron, "classes_", None)
    metadata: dict[str, Any] = {"source_format": "scikit-learn"}
    if classes is not None:
        metadata["classes"] = [label.item() if hasattr(label, "item") else label for label in classes]
        if is_binary(perceptron):
            layers = (*layers[:-1], split_in_two(layers[-1]))
    head = Raw() if classes is None else Argmax()
    return Network(layers, Contract((len(scaling.factor),), head, normalisation=scaling.normalisation), metadata)


def load_sklearn(source: Any, options: ImportOptions) -> Network:
    """`from_sklearn` under the options of an import; a contract given replaces shape and head, not the scaling."""
    if options.action_range is not None:
        raise InvalidValueError("action_range: a scikit-learn estimator has none; leave it out")
    network = from_sklearn(source)
    if options.contract is None:
        return network
    scaling = network.contract.normalisation
    if scaling is not None and options.contract.normalisation is not None:
        raise InvalidValueError("contract: the pipeline scales its inputs already; leave the normalisation out")
    contract = options.contract if scaling is None else replace(options.contract, normalisation=scaling)
    return replace(network, contract=contract)


def steps_of(estimator: Any) -> tuple[list[Any], Any]:
    """Scalers in order, and the perceptron behind them.

    Raises:
        InvalidValueError: not fitted.
        UnsupportedError: see `from_sklearn`.
    """
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    scalers = [step for step in steps[:-1] if step is not None and step != "passthrough"]
    perceptron = steps[-1]
    name = type(perceptron).__name__
    if name not in _PERCEPTRONS:
        known = " or ".join(_PERCEPTRONS)
        raise UnsupportedError(f"scikit-learn {name}: not supported; give {known}, or a Pipeline that ends in one")
    if not hasattr(perceptron, "coefs_"):
        raise InvalidValueError(f"scikit-learn {name}: not fitted; call fit first")
    output = perceptron.out_activation_
    if name == "MLPRegressor" and output != "identity":
        raise UnsupportedError(
            f"scikit-learn {name}: outputs through {output} are not supported; use loss='squared_error'"
        )
    if name == "MLPClassifier" and output == "logistic" and (len(perceptron.classes_), perceptron.n_outputs_) != (2, 1):
        raise UnsupportedError(
            f"scikit-learn {name}: several labels per row, or a single class, are not supported; fit one of two or "
            "more classes per row"
        )
    return scalers, perceptron


def is_binary(perceptron: Any) -> bool:
    """Whether one output stands for two classes."""
    return bool(perceptron.out_activation_ == "logistic")


def scaling_of(scalers: Sequence[Any], inputs: int) -> Scaling:
    """What the scalers before a perceptron do together.

    Args:
        scalers: fitted, in order.
        inputs: of the perceptron.

    Raises:
        InvalidValueError: not fitted.
        UnsupportedError: another step, or one that clips.
    """
    scaling = Scaling(np.ones(inputs), np.zeros(inputs))
    for name in (type(scaler).__name__ for scaler in scalers):  # all first: a step may change the width of the others
        if name not in _SCALERS:
            known = ", ".join(_SCALERS)
            raise UnsupportedError(f"scikit-learn step {name}: not supported ({known} are); apply it to the rows first")
    for scaler in scalers:
        name = type(scaler).__name__
        if getattr(scaler, "clip", False):
            raise UnsupportedError(f"scikit-learn step {name}(clip=True): not supported; clip the rows first")
        if not hasattr(scaler, "scale_"):
            raise InvalidValueError(f"scikit-learn step {name}: not fitted; call fit first")
        scale = 1.0 if scaler.scale_ is None else np.asarray(scaler.scale_, np.float64)
        if name == "MinMaxScaler":
            scaling = scaling.then(scale, np.asarray(scaler.min_, np.float64))
            continue
        centre = getattr(scaler, "mean_" if name == "StandardScaler" else "center_", None)
        wanted = getattr(scaler, "with_mean", True) and centre is not None
        scaling = scaling.then(1 / scale, -np.asarray(centre, np.float64) / scale if wanted else 0.0)
    return scaling
