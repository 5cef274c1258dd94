"""Narrower and shallower networks out of a teacher: kept neurons, each next layer fitted again by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rlcompress.algorithms.neon.anatomy import Anatomy, IndexArray
from rlcompress.arrays import FloatArray
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.training.slopes import activated

_RIDGE = 1e-3


def narrowed(teacher: Network, anatomy: Anatomy, widths: Sequence[int], inputs: int) -> Network:
    """The first hidden layers of the teacher, fewer neurons in each, and its outputs read from the last of them.

    Every layer is fitted to what the teacher's layer gives before its activation, from what the narrow layers below it
    really give; a first layer that keeps all inputs keeps its weights.

    Args:
        teacher: float32 dense layers.
        anatomy: of the teacher.
        widths: of the hidden layers that stay, the first ones; not more than the teacher has.
        inputs: how many of the values that it reads stay, >= 1.

    Source: He, Zhang, Sun, "Channel pruning for accelerating very deep neural networks", ICCV 2017, section 3.1 (refit
    of the next layer on the kept channels).
    """
    torch = require("torch")
    layers = teacher.dense_layers()
    kept_inputs = np.sort(anatomy.input_order[:inputs])
    values = anatomy.inputs[:, kept_inputs]
    made = []
    for level, width in enumerate((*widths, 0)):
        last = level == len(widths)
        source = len(layers) - 1 if last else level
        rows = np.arange(teacher.output_size) if last else np.sort(anatomy.rankings[level].order[:width])
        layer = layers[source]
        if level == 0 and inputs == teacher.input_size and not last:
            weight, bias = layer.weight[rows], layer.bias[rows]
        else:
            weight, bias = _fitted(values, anatomy.sums[source][:, rows])
        made.append(Dense(weight, bias, layer.activation, layer.alpha))
        sums = torch.from_numpy(values @ weight.T + bias)
        values = activated(layer.activation, layer.alpha, sums).numpy()
    contract = replace(teacher.contract, selected=_selection(teacher, kept_inputs))
    return Network(tuple(made), contract)


def _selection(teacher: Network, kept: IndexArray) -> tuple[int, ...]:
    read = teacher.contract.kept_inputs
    return tuple(read[int(index)] for index in kept)


def _fitted(values: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weight (outputs, inputs) and bias (outputs,) of the ridge regression of `target` on `values`."""
    mean, middle = values.mean(0, dtype=np.float64), target.mean(0, dtype=np.float64)
    centred = values - mean
    gram = centred.T @ centred
    gram[np.diag_indices(len(gram))] += _RIDGE * float(np.diagonal(gram).mean()) + 1e-9
    weight = np.linalg.solve(gram, centred.T @ (target - middle)).T
    return weight.astype(np.float32), (middle - weight @ mean).astype(np.float32)
