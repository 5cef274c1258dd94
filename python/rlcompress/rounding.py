"""Weights rounded to integers so that a layer's sums stay near on measured inputs, though each weight moves further.

Inputs of a trained network hang together: what rounding one weight costs, others can make up for.

Source: Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers".
Deviates: weights are first fitted by least squares to the inputs as they are there, which earlier layers have rounded;
the bias comes last and takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
_MOST_INPUTS, _MOST_ROWS = 4096, 4096
_DAMPING = 1e-5
_BIAS_DAMPING = 1e-6
_SMALLEST, _LARGEST = 1e-30, 1e30
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class RoundedRows:
    """A layer `step * weight @ x + bias`.

    Args:
        weight: (outputs, inputs) whole numbers.
        bias: (outputs,) not rounded.
        step: (outputs,) float32, what one step of a weight is worth, > 0.
    """

    weight: Float64Array
    bias: Float64Array
    step: npt.NDArray[np.float32]


def nearest_rows(weight: Float64Array, bias: Float64Array, limit: int, largest_bias: float = np.inf) -> RoundedRows:
    """Every weight rounded by itself, the largest of a row to `limit`, and |bias| / step at most `largest_bias`."""
    step = _steps(weight, bias, limit, largest_bias)
    return RoundedRows(np.clip(np.rint(weight / step.astype(np.float64)[:, None]), -limit, limit), bias, step)


def fitted_rows(
    inputs: Float64Array,
    sums: Float64Array,
    weight: Float64Array,
    bias: Float64Array,
    limit: int,
    largest_bias: float = np.inf,
) -> RoundedRows:
    """Weights in -limit..limit and a bias that give nearly `sums` on `inputs`.

    Args:
        inputs: (n, inputs) as the rounded layer will read them; 4,096 of them, spread over all, are looked at.
        sums: (n, outputs) wanted.
        weight, bias: (outputs, inputs) and (outputs,) of the layer, from which what the inputs leave open is taken;
            zeros stay zeros. Where there are more than 4,096 inputs every weight is rounded by itself.
        limit: largest integer weight.
        largest_bias: of |bias| / step.
    """
    outputs, columns = weight.shape
    if columns > _MOST_INPUTS:
        return nearest_rows(weight, bias, limit, largest_bias)
    looked = np.linspace(0, len(inputs) - 1, min(len(inputs), _MOST_ROWS)).astype(int)
    size = float(np.sqrt(np.square(inputs[looked]).mean())) or 1.0
    x = np.c_[inputs[looked] / size, np.ones(len(looked))]  # the last column is the bias's
    given = np.c_[weight * size, bias]
    damping = np.r_[np.full(columns, _DAMPING), _BIAS_DAMPING]
    products = x.T @ x / len(x) + np.diag(damping)
    free = np.linalg.solve(products, x.T @ sums[looked] / len(x) + damping[:, None] * given.T).T
    kept = weight != 0
    step = _steps(free[:, :columns] * kept / size, free[:, columns], limit, largest_bias)
    order = np.r_[np.argsort(-np.diag(products)[:columns], kind="stable"), columns]
    shares = np.linalg.cholesky(np.linalg.inv(products[np.ix_(order, order)])).T
    most = limit * kept[:, order[:columns]]
    rounded, rest = _fed_back(free[:, order], shares, step.astype(np.float64) * size, most)
    found = np.empty((outputs, columns))
    found[:, order[:columns]] = rounded
    return RoundedRows(found, rest, step)


def _fed_back(
    free: Float64Array, shares: Float64Array, step: Float64Array, most: npt.NDArray[np.int_]
) -> tuple[Float64Array, Float64Array]:
    """Columns rounded one after the other, the error of each shared out among those that follow; and the last one.

    Args:
        free: (outputs, inputs + 1) as they should be, the bias last; overwritten.
        shares: (inputs + 1, inputs + 1) upper triangular, the Cholesky factor of the inverse products: row k says what
            the columns after k take of its error.
        step: (outputs,) of a whole number.
        most: (outputs, inputs) largest whole number, 0 where a weight stays zero.
    """
    outputs, columns = free.shape[0], free.shape[1] - 1
    rounded = np.empty((outputs, columns))
    for start in range(0, columns, _BLOCK):
        stop = min(start + _BLOCK, columns)
        errors = np.empty((outputs, stop - start))
        for k in range(start, stop):
            rounded[:, k] = np.clip(np.rint(free[:, k] / step), -most[:, k], most[:, k])
            errors[:, k - start] = (free[:, k] - rounded[:, k] * step) / shares[k, k]
            free[:, k + 1 : stop] -= np.outer(errors[:, k - start], shares[k, k + 1 : stop])
        free[:, stop:] -= errors @ shares[start:stop, stop:]
    return rounded, free[:, columns]


def _steps(weight: Float64Array, bias: Float64Array, limit: int, largest_bias: float) -> npt.NDArray[np.float32]:
    step = np.maximum(np.abs(weight).max(1) / limit, np.abs(bias) / largest_bias)
    return np.asarray(np.clip(step, _SMALLEST, _LARGEST), np.float32)
