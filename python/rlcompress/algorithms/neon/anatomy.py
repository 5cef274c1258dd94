"""What a teacher's layers carry: which neurons and inputs matter, in order, measured without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.importers.torch_module import to_torch
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.problem import Float64Array
from rlcompress.training.slopes import activated

IndexArray = npt.NDArray[np.int64]
MOST_NEURONS = 160
"""Neurons of a layer that are ranked, and so the widest layer that narrowing gives."""
_SKETCH = 64
_SALIENCY_ROWS = 512


@dataclass(frozen=True, eq=False)
class Ranking:
    """Neurons of one hidden layer, the most useful for the next layer first.

    Args:
        order: (kept,) int64, at most `MOST_NEURONS`.
        residual: (kept + 1,) float64: share of the next layer's variance that the first k neurons do not explain.
    """

    order: IndexArray
    residual: Float64Array

    def width(self, residual: float) -> int:
        """Neurons needed to leave no more than this share unexplained, >= 1; all that are ranked if need be."""
        enough = np.flatnonzero(self.residual <= residual)
        return max(1, int(enough[0]) if len(enough) else len(self.order))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A teacher seen on some rows.

    Args:
        inputs: (rows, network inputs) float32, what the first layer reads.
        sums: for each layer (rows, width) float32, before its activation.
        rankings: one per hidden layer.
        input_order: (network inputs,) int64 positions among the values that the network reads, most useful first.
    """

    inputs: FloatArray
    sums: tuple[FloatArray, ...]
    rankings: tuple[Ranking, ...]
    input_order: IndexArray


def dissect(teacher: Network, observations: FloatArray, units: Float64Array | None = None) -> Anatomy:
    """Look at a teacher.

    Args:
        teacher: float32 dense layers.
        observations: (rows, inputs) float32, normalised.
        units: (outputs,) > 0, what differences of each output are measured in; None where all are alike.
    """
    torch = require("torch")
    share = np.ones(teacher.output_size) if units is None else np.maximum(units / units.max(), 1e-12)
    scale = share.astype(np.float32)
    inputs = np.ascontiguousarray(teacher.contract.select(observations))
    sums, rankings, values = [], [], torch.from_numpy(inputs)
    before: Any = None
    with torch.inference_mode():
        layers = teacher.dense_layers()
        for level, layer in enumerate(layers):
            total = torch.addmm(torch.tensor(layer.bias), values, torch.tensor(layer.weight).T)
            if before is not None:
                target = total.numpy() / scale if level == len(layers) - 1 else total.numpy()
                rankings.append(rank_neurons(before.numpy(), target))
            values = before = activated(layer.activation, layer.alpha, total)
            sums.append(total.numpy())
    return Anatomy(inputs, tuple(sums), tuple(rankings), rank_inputs(teacher, inputs[:_SALIENCY_ROWS], scale))


def rank_neurons(values: FloatArray, target: FloatArray) -> Ranking:
    """Forward orthogonal matching pursuit: which columns of `values` explain `target` best, each given those before.

    Beyond the first columns several are taken at a time, a quarter of those taken.

    Args:
        values: (rows, neurons) of a hidden layer.
        target: (rows, outputs) of the next layer before its activation.

    Source: Pati, Rezaiifar, Krishnaprasad, "Orthogonal matching pursuit", Asilomar 1993.
    Deviates: several target columns at once, sketched to 64 random mixtures; columns in growing groups.
    """
    centred = values - values.mean(0)
    wanted = target - target.mean(0)
    if wanted.shape[1] > _SKETCH:
        mixing = np.random.default_rng(0).standard_normal((wanted.shape[1], _SKETCH)).astype(np.float32)
        wanted = wanted @ mixing
    gram = (centred.T @ centred).astype(np.float64)
    link = (centred.T @ wanted).astype(np.float64)
    total = float(np.square(wanted, dtype=np.float64).sum())
    start = np.diagonal(gram).copy()
    limit = min(MOST_NEURONS, values.shape[1])
    order: list[int] = []
    residual = [1.0]
    while len(order) < limit:
        power = np.diagonal(gram)
        alive = power > 1e-6 * start + 1e-12 * max(1.0, float(start.max()))
        alive[order] = False
        if not alive.any() or total <= 0 or residual[-1] < 1e-5:
            break
        gain = np.where(alive, np.square(link).sum(1) / np.where(alive, power, 1.0), -1.0)
        count = min(max(1, len(order) // 4), limit - len(order), int(alive.sum()))
        chosen = np.argsort(-gain, kind="stable")[:count]
        block = gram[np.ix_(chosen, chosen)]
        block[np.diag_indices(count)] += 1e-6 * start[chosen] + 1e-12
        side = np.linalg.solve(block, np.hstack([link[chosen], gram[chosen]]))
        explained = float((link[chosen] * side[:, : link.shape[1]]).sum()) / total
        across = gram[:, chosen]
        link = link - across @ side[:, : link.shape[1]]
        gram = gram - across @ side[:, link.shape[1] :]
        steps = np.arange(1, count + 1) / count
        residual += [max(0.0, residual[-1] - explained * float(share)) for share in steps]
        order += chosen.tolist()
    if not order:
        order, residual = [int(np.argmax(start))], [1.0, 0.0]
    residual[-1] = residual[-1] if residual[-1] >= 1e-5 else 0.0
    return Ranking(np.array(order, np.int64), np.minimum.accumulate(np.array(residual)))


def rank_inputs(teacher: Network, inputs: FloatArray, scale: FloatArray) -> IndexArray:
    """Inputs by how much the outputs move with them: root mean square of the gradient times the input's spread.

    Args:
        teacher: float32 dense layers.
        inputs: (rows, network inputs) float32.
        scale: (outputs,) float32 > 0 that each output is divided by.
    """
    torch = require("torch")
    module = to_torch(teacher)
    rows = torch.from_numpy(np.array(inputs)).requires_grad_(True)
    outputs = module(rows)
    mixtures = np.random.default_rng(1).choice([-1.0, 1.0], (4, teacher.output_size)).astype(np.float32)
    centred = mixtures - mixtures.mean(1, keepdims=True) if teacher.output_size > 1 else mixtures
    if not np.any(centred):
        centred = mixtures
    power = np.zeros(inputs.shape[1])
    for mixture in torch.from_numpy(centred / scale):
        (slopes,) = torch.autograd.grad((outputs * mixture).sum(), rows, retain_graph=True)
        power += np.square(slopes.numpy(), dtype=np.float64).mean(0)
    return np.argsort(-np.sqrt(power) * inputs.std(0, dtype=np.float64), kind="stable")
