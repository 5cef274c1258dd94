"""What is measured: operands, the exact answer, and the check that every contender passes before it is timed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.layers import Dense
from rlcompress.network import Network

Floats = npt.NDArray[np.float32]
LINE = 64  # bytes: of the caches, and of the widest vectors
SHAPES = {
    "A": (4, 24, 24, 2),
    "B": (8, 64, 64, 4),
    "C": (8, 256, 256, 4),
    "D": (17, 256, 256, 6),
    "E": (128, 512, 512, 18),
    "F": (784, 300, 100, 10),
}


class WrongAnswerError(Exception):
    """A contender's answer is not the reference's."""


def aligned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy that starts a line of the cache. NumPy's own start anywhere, which some peers pay for."""
    memory = np.empty(values.nbytes + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    copy = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def relu_network(widths: tuple[int, ...], seed: int = 0, offset: float = 0) -> Network:
    """A network of random float32 dense layers, relu between them, of outputs about 1 in size.

    Args:
        widths: inputs of the first layer, then the outputs of each.
        seed: of the weights.
        offset: of the biases before a relu, of which half the outputs are zero without.
    """
    random = np.random.default_rng(seed)
    layers = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = random.normal(0, np.sqrt(2 / inputs), (outputs, inputs)).astype(np.float32)
        bias = random.normal(0, 0.1, outputs).astype(np.float32)
        if index == len(widths) - 2:
            layers.append(Dense(weight, bias))
        else:
            layers.append(Dense(weight, bias + np.float32(offset * 8**index), "relu"))
    return Network(tuple(layers))


def forward(network: Network, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The network's outputs in float64, (n, outputs)."""
    y = np.asarray(x, np.float64)
    for layer in network.dense_layers():
        y = y @ layer.weight.astype(np.float64).T + layer.bias
        y = np.maximum(y, 0) if layer.activation == "relu" else y
    return y


def check_close(answer: object, reference: npt.NDArray[Any], tolerance: float) -> None:
    """Raise where an answer is further from the reference than `tolerance` times its largest value."""
    found = np.asarray(answer, np.float64).reshape(reference.shape)
    error = float(np.abs(found - reference).max() / np.abs(reference).max())
    if not error <= tolerance:
        raise WrongAnswerError(f"relative error {error:.2g}, at most {tolerance:g} expected")


@dataclass(frozen=True)
class DenseWork:
    """A network on `batch` observations.

    Args:
        shape: name in SHAPES.
        batch: rows; 1 = a single observation.
        tolerance: largest error as a share of the largest output: rounding for float32, calibration for int8.
        widths: instead of the shape's.
        zeros: whether about half of what a relu passes on is zero, else nothing.
    """

    shape: str
    batch: int = 1
    tolerance: float = 1e-4
    widths: tuple[int, ...] = ()
    zeros: bool = True

    @property
    def name(self) -> str:
        widths = "-".join(str(width) for width in self.network.widths)
        rows = "" if self.batch == 1 else f", N = {self.batch}"
        return f"{self.shape} {widths}{rows}{'' if self.zeros else ', no zeros'}"

    @cached_property
    def network(self) -> Network:
        return relu_network(self.widths or SHAPES[self.shape], offset=0 if self.zeros else 30)

    @cached_property
    def x(self) -> Floats:
        """(batch, inputs)"""
        return np.random.default_rng(1).normal(size=(self.batch, self.network.input_size)).astype(np.float32)

    @cached_property
    def turns(self) -> list[Floats]:
        """`x` and 63 more of its shape, so that no contender lives on the zeros of one; none where there is a batch."""
        if self.batch > 1:
            return []
        others = np.random.default_rng(6).normal(size=(63, *self.x.shape)).astype(np.float32)
        return [self.x, *others]

    @cached_property
    def calibration(self) -> Floats:
        """(256, inputs): what integer contenders take their ranges from."""
        return np.random.default_rng(2).normal(size=(256, self.network.input_size)).astype(np.float32)

    def check(self, answer: object) -> None:
        check_close(answer, forward(self.network, self.x), self.tolerance)


@dataclass(frozen=True)
class SparseWork:
    """`weight @ x` with a random mask: n x n by n x columns; operands and outputs are `aligned`."""

    n: int
    columns: int
    sparsity: float = 0.9

    @property
    def name(self) -> str:
        return f"n = {self.n}, N = {self.columns}, {self.sparsity:.0%}"

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        return np.random.default_rng(3).random((self.n, self.n)) >= self.sparsity

    @cached_property
    def weight(self) -> Floats:
        """(n, n), zero where the mask is False."""
        values = np.random.default_rng(4).normal(size=(self.n, self.n)).astype(np.float32)
        return aligned(np.where(self.mask, values, np.float32(0)))

    @cached_property
    def x(self) -> Floats:
        """(n, columns), or (n,) for one column."""
        shape = (self.n,) if self.columns == 1 else (self.n, self.columns)
        return aligned(np.random.default_rng(5).normal(size=shape).astype(np.float32))

    def out(self) -> Floats:
        """(n, columns), or (n,) for one column: to write to, new in each call."""
        return aligned(np.zeros_like(self.x))

    @property
    def nonzeros(self) -> int:
        return int(np.count_nonzero(self.mask))

    def check(self, answer: object) -> None:
        check_close(answer, self.weight.astype(np.float64) @ self.x.astype(np.float64), 1e-4)


@dataclass(frozen=True)
class RankingWork:
    """The mask that keeps the largest 10 % of `count` magnitudes, in `layers` arrays ranked together."""

    count: int
    layers: int = 1

    @property
    def name(self) -> str:
        return f"n = {self.count:.3g}" + (f", {self.layers} layers" if self.layers > 1 else "")

    @property
    def keep(self) -> int:
        return self.count - round(0.9 * self.count)

    @cached_property
    def flat(self) -> Floats:
        return np.random.default_rng(6).standard_normal(self.count, np.float32) * np.float32(0.05)

    @property
    def weights(self) -> list[Floats]:
        """Views of `flat`."""
        return np.array_split(self.flat, self.layers)

    def check(self, answer: object) -> None:
        """Answer: a mask or masks of all weights. Equal magnitudes at the threshold may go either way."""
        parts = answer if isinstance(answer, (list, tuple)) else [answer]
        mask = np.concatenate([np.asarray(part).reshape(-1) for part in parts]).astype(bool)
        magnitude = np.abs(self.flat)
        threshold = np.partition(magnitude, self.count - self.keep)[self.count - self.keep]
        if not (mask[magnitude > threshold].all() and not mask[magnitude < threshold].any()):
            raise WrongAnswerError(f"the mask keeps {int(mask.sum())}, not the largest {self.keep}")


@dataclass(frozen=True)
class StepWork:
    """One step of gradient descent on a masked classifier: forward, backward, update, mask."""

    widths: tuple[int, ...] = (784, 512, 512, 10)
    batch: int = 128
    sparsity: float = 0.9
    learning_rate: float = 0.1
    seed: int = field(default=7)

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}, {self.sparsity:.0%}"

    @cached_property
    def network(self) -> Network:
        """Its layers carry their masks."""
        random = np.random.default_rng(self.seed)
        dense = relu_network(self.widths, self.seed).dense_layers()
        return Network(tuple(layer.with_mask(random.random(layer.weight.shape) >= self.sparsity) for layer in dense))

    @cached_property
    def x(self) -> Floats:
        """(batch, inputs)"""
        return np.random.default_rng(8).normal(size=(self.batch, self.widths[0])).astype(np.float32)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        return np.random.default_rng(9).integers(0, self.widths[-1], self.batch)

    def check(self, answer: object) -> None:
        """Answer: the weight arrays after the first step."""
        assert isinstance(answer, (list, tuple))
        for found, before, expected in zip(answer, self.network.dense_layers(), self._stepped()):
            check_close(np.asarray(found) - before.weight, expected - before.weight, 1e-3)

    def _stepped(self) -> list[npt.NDArray[np.float64]]:
        """The weights after one step, in float64."""
        layers = self.network.dense_layers()
        values = [self.x.astype(np.float64)]
        for layer in layers:
            y = values[-1] @ layer.weight.T.astype(np.float64) + layer.bias
            values.append(np.maximum(y, 0) if layer.activation == "relu" else y)
        shifted = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        gradient = shifted / shifted.sum(1, keepdims=True)
        gradient[np.arange(self.batch), self.labels] -= 1
        gradient /= self.batch
        stepped = []
        for layer, x in zip(reversed(layers), reversed(values[:-1])):
            stepped.append(layer.weight - self.learning_rate * np.where(layer.mask, gradient.T @ x, 0))
            gradient = gradient @ layer.weight.astype(np.float64) * (x > 0)
        return stepped[::-1]
