"""Training of a masked network at the cost of its kept weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.training.masked_layer import ACTIVATION_CODES, MaskedLayer, Optimiser, aligned_arrays

MaskedLoss = Literal["cross_entropy", "mse", "kl"]
_LOSSES = ("cross_entropy", "mse", "kl")


class MaskedMLP:
    """A network of masked dense layers in training: dropped weights cost neither time nor optimiser state.

    Activations are kept feature-major. Sums over the batch follow an order that its size fixes, so a step gives the
    same bits on every target (up to the number returned, and `kl`, which NumPy computes).

    Args:
        network: float32 dense layers with relu, tanh or identity, masked or not; its head and normalisation take no
            part.
        optimiser: `adam` (as torch's) or `sgd`.
        learning_rate: > 0.
        loss: `cross_entropy` (integer labels, mean), `mse` (mean over all elements) or `kl` (a teacher's outputs,
            softened: `T^2 sum p (ln p - ln q)`, mean over the batch).
        temperature: T of `kl`, > 0.
        momentum: of `sgd`, 0..1.

    Raises:
        InvalidValueError: an unknown name, a number out of range, or a layer that cannot be trained this way.

    Source: Hinton et al. 2015 for `kl`.
    """

    def __init__(
        self,
        network: Network,
        optimiser: Literal["adam", "sgd"] = "adam",
        learning_rate: float = 1e-3,
        loss: MaskedLoss = "cross_entropy",
        temperature: float = 1.0,
        momentum: float = 0.0,
    ) -> None:
        if optimiser not in ("adam", "sgd"):
            raise InvalidValueError(f"optimiser: adam or sgd expected, found {optimiser!r}")
        if loss not in _LOSSES:
            raise InvalidValueError(f"loss: one of {', '.join(_LOSSES)} expected, found {loss!r}")
        for name, value in (("learning_rate", learning_rate), ("temperature", temperature)):
            if not 0 < value < np.inf:
                raise InvalidValueError(f"{name}: a number > 0 expected, found {value}")
        if not 0 <= momentum < 1:
            raise InvalidValueError(f"momentum: 0..1 expected, found {momentum}")
        layers = network.dense_layers()
        for index, layer in enumerate(layers):
            if layer.activation not in ACTIVATION_CODES:
                known = ", ".join(ACTIVATION_CODES)
                raise InvalidValueError(f"layer {index}: one of {known} expected, found {layer.activation}")
        self._start = network
        self._optimiser = Optimiser(optimiser, learning_rate, momentum)
        self._loss, self._temperature = loss, temperature
        self._layers = [MaskedLayer(layer, index > 0) for index, layer in enumerate(layers)]
        self._steps = 0
        self._columns = 0

    def step(self, x: FloatArray, target: Any) -> float:
        """One step of the optimiser.

        Args:
            x: (batch, inputs) float32, batch >= 1.
            target: (batch,) integer labels for `cross_entropy`, else (batch, outputs) float32.

        Returns:
            The loss before the step.

        Raises:
            InvalidValueError: another shape or type, or a label that is no output.
        """
        x = np.asarray(x)
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != self._start.input_size or not len(x):
            wanted = f"float32 of shape (batch, {self._start.input_size})"
            raise InvalidValueError(f"x: {wanted} expected, {x.dtype} of shape {x.shape} found")
        self._reserve(len(x))
        target = self._checked(target, len(x))
        kernels.transpose(np.ascontiguousarray(x), self._values[0])
        for layer, before, after in zip(self._layers, self._values, self._values[1:]):
            layer.forward(before, after)
        loss = self._loss_into(self._slopes[-1], self._values[-1], target)
        for index in reversed(range(len(self._layers))):
            dx = self._slopes[index - 1] if index > 0 else None
            self._layers[index].backward(self._values[index], self._values[index + 1], self._slopes[index], dx)
        self._steps += 1
        for layer in self._layers:
            layer.update(self._optimiser, self._steps)
        return loss

    def network(self) -> Network:
        """The network as trained so far."""
        return self._start.with_layers([layer.layer() for layer in self._layers])

    def set_masks(self, masks: Sequence[BoolArray]) -> None:
        """Other masks; a weight that was not kept before starts at zero.

        Args:
            masks: one (outputs, inputs) bool per layer, True = kept.

        Raises:
            InvalidValueError: another number, shape or type.
        """
        arrays = [np.asarray(mask) for mask in masks]
        wanted = [layer.mask.shape for layer in self._layers]
        if [array.shape for array in arrays] != wanted or any(array.dtype != np.bool_ for array in arrays):
            raise InvalidValueError(
                f"masks: bool arrays of shapes {wanted} expected, found {[a.shape for a in arrays]}"
            )
        for layer, mask in zip(self._layers, arrays):
            if not np.array_equal(layer.mask, mask):
                layer.set_mask(mask)

    def _reserve(self, batch: int) -> None:
        columns = -(-batch // 16) * 16
        if columns == self._columns:
            return
        self._columns = columns
        widths = self._start.widths
        arrays = aligned_arrays([(width, columns) for width in (*widths, *widths[1:])])
        self._values, self._slopes = arrays[: len(widths)], arrays[len(widths) :]

    def _checked(self, target: Any, batch: int) -> Any:
        target, outputs = np.asarray(target), self._start.output_size
        if self._loss != "cross_entropy":
            if target.shape != (batch, outputs):
                raise InvalidValueError(f"target: shape {(batch, outputs)} expected, {target.shape} found")
            return target.T.astype(np.float32)
        if target.shape != (batch,) or target.dtype.kind not in "iu":
            raise InvalidValueError(f"target: {batch} integer labels expected, {target.dtype} {target.shape} found")
        if target.min() < 0 or target.max() >= outputs:
            found = f"{target.min()}..{target.max()} found"
            raise InvalidValueError(f"target: labels 0..{outputs - 1} expected, {found}")
        return np.ascontiguousarray(target, np.int64)

    def _loss_into(self, slopes: FloatArray, outputs: FloatArray, target: Any) -> float:
        """The loss; its gradient goes to `slopes`, (outputs, columns) as `outputs`, zero where `target` ends."""
        if self._loss == "cross_entropy":
            return kernels.cross_entropy(outputs, target, slopes)
        batch = target.shape[1]
        loss, slopes[:, :batch] = self._loss_of(outputs[:, :batch], target)
        slopes[:, batch:] = 0
        return loss

    def _loss_of(self, outputs: FloatArray, target: Any) -> tuple[float, FloatArray]:
        """`mse` or `kl` and its gradient; (outputs, batch) all."""
        batch = outputs.shape[1]
        if self._loss == "mse":
            error = outputs - target
            return float(np.square(error, dtype=np.float64).mean()), error * np.float32(2 / error.size)
        wanted = _log_softmax(target / np.float32(self._temperature))
        found = _log_softmax(outputs / np.float32(self._temperature))
        p = np.exp(wanted)
        loss = self._temperature**2 * float((p * (wanted - found)).sum(dtype=np.float64)) / batch
        return loss, (np.exp(found) - p) * np.float32(self._temperature / batch)


def _log_softmax(values: FloatArray) -> FloatArray:
    shifted = values - values.max(0)
    return shifted - np.log(np.exp(shifted).sum(0))  # type: ignore[no-any-return]
