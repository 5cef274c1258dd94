"""What goes into a network and what comes out of it: shapes, ranges, normalisation, action head.

A contract travels with the network through every transformation and into the `.rlc` file, where the runtime executes
it: observation -> normalise -> select -> layers -> head -> action.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from operator import index
from typing import Any, ClassVar, Union

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray, frozen, same_array
from rlcompress.errors import InvalidValueError


@dataclass(frozen=True, eq=False)
class Normalisation:
    """`clip((x - mean) / scale, -clip, +clip)` on each input.

    Args:
        mean: (inputs,) float32, finite.
        scale: (inputs,) float32, finite, > 0. For VecNormalize statistics sqrt(variance + epsilon).
        clip: > 0, infinity for none.
    """

    mean: FloatArray
    scale: FloatArray
    clip: float = float("inf")

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", frozen(self.mean, np.float32, (None,), "normalisation mean"))
        object.__setattr__(self, "scale", frozen(self.scale, np.float32, self.mean.shape, "normalisation scale"))
        object.__setattr__(self, "clip", float(np.float32(self.clip)))
        if not (self.scale > 0).all():
            raise InvalidValueError(f"normalisation scale: values > 0 expected, found {self.scale.min()}")
        if not self.clip > 0:
            raise InvalidValueError(f"normalisation clip: a value > 0 expected, found {self.clip}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Normalisation):
            return NotImplemented
        return self.clip == other.clip and same_array(self.mean, other.mean) and same_array(self.scale, other.scale)

    def apply(self, observations: FloatArray) -> FloatArray:
        """Normalise (n, inputs) float32 observations with NumPy (training side; the runtime does the same in C++)."""
        scaled = (np.asarray(observations, np.float32) - self.mean) / self.scale
        return np.asarray(np.clip(scaled, -self.clip, self.clip), np.float32)


@dataclass(frozen=True)
class Raw:
    """The network's outputs as they are."""

    kind: ClassVar[str] = "raw"


@dataclass(frozen=True)
class Argmax:
    """Discrete action `start + index of the first largest output`."""

    start: int = 0
    kind: ClassVar[str] = "argmax"


@dataclass(frozen=True, eq=False)
class _Affine:
    """`scale * f(clip(y, low, high)) + offset` on each output; arrays of (outputs,) float32."""

    low: FloatArray
    high: FloatArray
    scale: FloatArray
    offset: FloatArray
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", frozen(self.low, np.float32, (None,), f"{self.kind} low", finite=False))
        shape = self.low.shape
        object.__setattr__(self, "high", frozen(self.high, np.float32, shape, f"{self.kind} high", finite=False))
        object.__setattr__(self, "scale", frozen(self.scale, np.float32, shape, f"{self.kind} scale"))
        object.__setattr__(self, "offset", frozen(self.offset, np.float32, shape, f"{self.kind} offset"))
        if not (self.low <= self.high).all():
            raise InvalidValueError(f"{self.kind}: low <= high expected, found {self.low} and {self.high}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(same_array(getattr(self, n), getattr(other, n)) for n in ("low", "high", "scale", "offset"))


class Clip(_Affine):
    """Continuous action `scale * clip(y, low, high) + offset`."""

    kind: ClassVar[str] = "clip"


class Squash(_Affine):
    """Continuous action `scale * tanh(clip(y, low, high)) + offset`."""

    kind: ClassVar[str] = "squash"


Head = Union[Raw, Argmax, Clip, Squash]


def clip_to(low: FloatArray, high: FloatArray) -> Clip:
    """Head that clips the outputs to the action range and leaves their scale alone."""
    low = np.asarray(low, np.float32)
    return Clip(low=low, high=high, scale=np.ones_like(low), offset=np.zeros_like(low))


def squash_to(low: FloatArray, high: FloatArray, mean_clip: float = float("inf")) -> Squash:
    """Head that maps tanh of the outputs (first clipped to +-mean_clip) onto [low, high]."""
    low64, high64 = np.asarray(low, np.float64), np.asarray(high, np.float64)
    bound = np.full(low64.shape, mean_clip, np.float32)
    scale, offset = (high64 - low64) / 2, (high64 + low64) / 2
    return Squash(low=-bound, high=bound, scale=scale.astype(np.float32), offset=offset.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Contract:
    """Input and output of a network.

    Args:
        observation_shape: shape of one observation; 1 to 4 dimensions, each >= 1. The network sees it flattened in C
            order.
        head: how outputs become the action.
        observation_low, observation_high: (inputs,) float32 range of the flattened observation, or None when not known.
        normalisation: applied to the whole observation, before the selection, or None.
        selected: indices of the values that the layers read, ascending; None = all of them.
    """

    observation_shape: tuple[int, ...]
    head: Head = Raw()
    observation_low: FloatArray | None = None
    observation_high: FloatArray | None = None
    normalisation: Normalisation | None = None
    selected: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "observation_shape", tuple(int(size) for size in self.observation_shape))
        if not 1 <= len(self.observation_shape) <= 4 or min(self.observation_shape) < 1:
            raise InvalidValueError(f"observation_shape: 1 to 4 sizes >= 1 expected, found {self.observation_shape}")
        if (self.observation_low is None) != (self.observation_high is None):
            raise InvalidValueError("observation_low and observation_high: give both or neither")
        if self.observation_low is not None:
            shape = (self.input_size,)
            low = frozen(self.observation_low, np.float32, shape, "observation_low", finite=False)
            high = frozen(self.observation_high, np.float32, shape, "observation_high", finite=False)
            if not (low <= high).all():
                raise InvalidValueError("observation_low must not be above observation_high, and neither NaN")
            object.__setattr__(self, "observation_low", low)
            object.__setattr__(self, "observation_high", high)
        if self.normalisation is not None and self.normalisation.mean.shape != (self.input_size,):
            raise InvalidValueError(
                f"normalisation: {self.input_size} inputs expected, {self.normalisation.mean.shape[0]} found"
            )
        if self.selected is not None:
            object.__setattr__(self, "selected", _selection(self.selected, self.input_size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contract):
            return NotImplemented
        return (
            self.observation_shape == other.observation_shape
            and self.head == other.head
            and same_array(self.observation_low, other.observation_low)
            and same_array(self.observation_high, other.observation_high)
            and self.normalisation == other.normalisation
            and self.selected == other.selected
        )

    @property
    def input_size(self) -> int:
        """Number of values in one flattened observation."""
        return prod(self.observation_shape)

    @property
    def kept_inputs(self) -> tuple[int, ...]:
        """Indices of the observation's values that the layers read."""
        return tuple(range(self.input_size)) if self.selected is None else self.selected

    @property
    def network_inputs(self) -> int:
        """Number of values that the first layer reads."""
        return self.input_size if self.selected is None else len(self.selected)

    def select(self, observations: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the layers read of (..., inputs) values of any type: (..., network_inputs)."""
        return observations if self.selected is None else observations[..., list(self.selected)]

    def action_size(self, output_size: int) -> int:
        """Number of values in one action of a network with `output_size` outputs."""
        return 1 if isinstance(self.head, Argmax) else output_size


def _selection(selected: tuple[int, ...], inputs: int) -> tuple[int, ...] | None:
    """Checked indices as Python numbers; None where they are all."""
    try:
        found = tuple(index(value) for value in selected)
    except TypeError as error:
        raise InvalidValueError(f"selected: indices of observation values expected, found {selected!r:.80}") from error
    if not found or found[0] < 0 or found[-1] >= inputs or any(a >= b for a, b in pairwise(found)):
        raise InvalidValueError(f"selected: ascending indices in 0..{inputs - 1} expected, found {found!s:.80}")
    return None if len(found) == inputs else found
