"""One masked dense layer in training: kept weights alone, forward, backward and update through the sparse kernels."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.layers import Dense

ACTIVATION_CODES = {"identity": 0, "relu": 1, "tanh": 2}
_ALIGNMENT = 64
_LARGE_PAGE = 1 << 21


@dataclass(frozen=True)
class Optimiser:
    """How weights move.

    Args:
        kind: `adam` or `sgd`.
        learning_rate: > 0.
        momentum: of SGD, 0..1.
        beta1, beta2, epsilon: of Adam.
    """

    kind: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def update(self, weights: FloatArray, gradient: FloatArray, moments: tuple[FloatArray, ...], step: int) -> None:
        """Move `weights` in place at step 1, 2, .."""
        if self.kind == "sgd":
            velocity = moments[0] if self.momentum else None
            kernels.sgd_update(weights, gradient, velocity, self.learning_rate, self.momentum)
            return
        rate = self.learning_rate / (1 - self.beta1**step)
        correction = (1 - self.beta2**step) ** -0.5
        mean, square = moments
        kernels.adam_update(weights, gradient, mean, square, rate, correction, self.beta1, self.beta2, self.epsilon)


def aligned(shape: tuple[int, int]) -> FloatArray:
    """A float32 array of zeros at an address that vector loads like."""
    size = shape[0] * shape[1]
    raw = np.zeros(size * 4 + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size * 4].view(np.float32).reshape(shape)


def aligned_arrays(shapes: Sequence[tuple[int, int]]) -> list[FloatArray]:
    """Arrays as `aligned` gives them, side by side in one piece of memory.

    Rows far apart are read in turn, each on a page of its own: from half a large page on the system is asked for those.
    """
    sizes = [-(-rows * columns * 4 // _ALIGNMENT) * _ALIGNMENT for rows, columns in shapes]
    ends = np.cumsum([0, *sizes])
    if ends[-1] < _LARGE_PAGE // 2 or not hasattr(mmap, "MADV_HUGEPAGE"):
        return [aligned(shape) for shape in shapes]
    memory = mmap.mmap(-1, (int(ends[-1]) // _LARGE_PAGE + 2) * _LARGE_PAGE)
    with suppress(OSError):  # a system without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(memory, np.uint8)
    start = -raw.ctypes.data % _LARGE_PAGE
    floats = raw[start : start + int(ends[-1])].view(np.float32)
    return [floats[first // 4 : first // 4 + shape[0] * shape[1]].reshape(shape) for first, shape in zip(ends, shapes)]


class Pattern:
    """Where weights are kept, packed for forward and backward.

    Args:
        mask: (outputs, inputs) bool, True = kept.
        inner: whether the gradient of the inputs is needed, which takes a transposed copy.
    """

    def __init__(self, mask: BoolArray, inner: bool) -> None:
        self.mask = np.array(mask, order="C")
        # Each weight's number is packed in its stead, which tells where it went.
        numbers = np.arange(mask.size, dtype=np.uint32).reshape(mask.shape)
        self.matrix = kernels.SparseMatrix(numbers.view(np.float32), self.mask, "rows")
        self.places = self.matrix.values.view(np.uint32).copy()
        self.matrix.values[:] = 0
        if not inner:
            return
        place_of = np.zeros(mask.size, np.uint32)
        place_of[self.places] = np.arange(len(self.places), dtype=np.uint32)
        turned = np.ascontiguousarray(numbers.T).view(np.float32)
        self.transposed = kernels.SparseMatrix(turned, np.ascontiguousarray(self.mask.T), "rows")
        self.source = place_of[self.transposed.values.view(np.uint32)]


class MaskedLayer:
    """A dense layer of which only kept weights exist.

    Args:
        layer: relu, tanh or identity.
        inner: whether a layer comes before, so that the gradient of the inputs is needed.
    """

    def __init__(self, layer: Dense, inner: bool) -> None:
        self.activation = layer.activation
        self.code = ACTIVATION_CODES[layer.activation]
        self.inner = inner
        self.bias = np.array(layer.bias)
        self.bias_gradient = np.zeros_like(self.bias)
        self.bias_moments = (np.zeros_like(self.bias), np.zeros_like(self.bias))
        self._pack(np.ones(layer.weight.shape, bool) if layer.mask is None else layer.mask)
        self.weights[:] = layer.weight.reshape(-1)[self.places]
        self.moments = (np.zeros_like(self.weights), np.zeros_like(self.weights))
        self.mirror()

    def _pack(self, mask: BoolArray) -> None:
        pattern = Pattern(mask, self.inner)
        self.mask, self.matrix, self.places = pattern.mask, pattern.matrix, pattern.places
        self.weights = self.matrix.values
        self.gradient = np.zeros(len(self.places), np.float32)
        if self.inner:
            self.transposed, self.source = pattern.transposed, pattern.source

    def mirror(self) -> None:
        """Bring the transposed copy up to date."""
        if self.inner:
            kernels.gather(self.weights, self.source, self.transposed.values)

    def forward(self, x: FloatArray, y: FloatArray) -> None:
        """Write the layer's results for (inputs, n) x into (outputs, n) y."""
        kernels.sparse_multiply(self.matrix, x, y, self.bias)
        kernels.activate(self.code, y)

    def backward(self, x: FloatArray, y: FloatArray, dy: FloatArray, dx: FloatArray | None) -> None:
        """From the gradient of the results to those of weights, bias and (not first layer) inputs; changes `dy`."""
        kernels.activation_slope(self.code, y, dy, self.bias_gradient)
        self.matrix.gradient(x, dy, self.gradient)
        if dx is not None:
            kernels.sparse_multiply(self.transposed, dy, dx)

    def update(self, optimiser: Optimiser, step: int) -> None:
        """Move weights and bias along the gradients of the last `backward`."""
        optimiser.update(self.weights, self.gradient, self.moments, step)
        optimiser.update(self.bias, self.bias_gradient, self.bias_moments, step)
        self.mirror()

    def set_mask(self, mask: BoolArray) -> None:
        """Another pattern; a weight that was not kept before starts at zero, as do its moments."""
        old = [self.dense(values) for values in (self.weights, *self.moments)]
        self._pack(mask)
        weights, *moments = (array.reshape(-1)[self.places] for array in old)
        self.weights[:] = weights
        self.moments = (moments[0], moments[1])
        self.mirror()

    def dense(self, values: FloatArray) -> FloatArray:
        """Values of the kept weights as (outputs, inputs), zero elsewhere."""
        array: Any = np.zeros(self.mask.shape, np.float32)
        array.reshape(-1)[self.places] = values
        return array  # type: ignore[no-any-return]

    def layer(self) -> Dense:
        """The layer as a value."""
        return Dense(self.dense(self.weights), self.bias, self.activation, 0.0, None if self.mask.all() else self.mask)
