"""`Runtime`: run an `.rlc` file in the C++ core. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from rlcompress import artifact, kernels
from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax, Contract
from rlcompress.errors import InvalidValueError, RlcompressError, UnsupportedError
from rlcompress.network import Network

_FLOAT32 = np.dtype(np.float32)
_INT64 = np.dtype(np.int64)
Source = Union[str, PathLike[str], bytes, bytearray, memoryview, Network]
Action = Any
"""np.int64 or (n,) int64 for an argmax head; (outputs,) or (n, outputs) float32 for the others."""


class Runtime(kernels.HotCall):
    """A policy or network, ready to run: `action = runtime(observation)`, or `runtime(observation, out=buffer)`.

    A call takes numbers of `contract.observation_shape`, or (n, *observation_shape), and casts them to float32;
    C-contiguous float32 arrays go straight to the core. It returns np.int64 or (n,) int64 for an argmax head, else
    (outputs,) or (n, outputs) float32. `out` is filled and returned: writable, C-contiguous; float32 (outputs,) or
    (n, outputs), for argmax int64 () or (n,). Another shape or type raises InvalidValueError.

    The same file gives the same bits on every machine. Calls do not change the object: one instance serves any number
    of threads. An observation with NaN gives what IEEE arithmetic gives: an argmax never picks a NaN output (all NaN:
    the first action), a ReLU turns NaN into 0, continuous actions may be NaN. Values beyond float32 become infinities.

    Args:
        source: path of an `.rlc` file, its bytes, or a network.

    Raises:
        MissingFileError: no such file.
        FormatError: not a valid `.rlc` file.
    """

    def __init__(self, source: Source) -> None:
        if isinstance(source, Network):
            image = artifact.encode(source, golden=0)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            image = bytes(source)
        else:
            image = artifact.read_image(source)
        self._model = kernels.Model(image)
        self._contract = artifact.decode_contract(image)
        self._metadata = artifact.decode_metadata(image)
        self._shape = self._contract.observation_shape
        self._action_shape = (self._model.output_size,)
        self._discrete = isinstance(self._contract.head, Argmax)
        self._outputs: kernels.Model | None = None
        self.attach(self._model, self._shape, self._discrete)

    def _general(self, observation: Any, out: npt.NDArray[Any] | None = None) -> Action:
        """A call with anything but float32 arrays of the expected shape."""
        rows, batch = self._rows(observation)
        if self._discrete:
            return self._discrete_action(rows, batch, out)
        shape = (len(rows), *self._action_shape) if batch else self._action_shape
        if out is None:
            out = np.empty(shape, _FLOAT32)
        else:
            _check_out(out, shape, _FLOAT32)
            if np.may_share_memory(rows, out):
                raise InvalidValueError("out: an array that does not overlap the observation expected")
        self._model.run(rows, out if batch else out.reshape(1, -1))
        return out

    def _discrete_action(self, rows: FloatArray, batch: bool, out: npt.NDArray[Any] | None) -> Action:
        if out is not None:
            _check_out(out, (len(rows),) if batch else (), _INT64)
        found = np.empty((len(rows), 1), _FLOAT32)
        self._model.run(rows, found)
        if out is None:
            return found[:, 0].astype(_INT64) if batch else np.int64(found.item())
        out[...] = found[:, 0] if batch else found.item()
        return out

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Action, None]:
        """The action in the form of Stable-Baselines3's `predict`: its `evaluate_policy` takes a runtime as the model.

        Args:
            observation: as in a call; vector environments give batches.
            state: None: there is no recurrent state.
            episode_start: ignored, as by every policy without a state.
            deterministic: True: the file holds no randomness.

        Returns:
            The action and None.

        Raises:
            UnsupportedError: a state, or random actions asked for.
        """
        if state is not None:
            raise UnsupportedError(f"state: None expected, found {type(state).__name__}; an .rlc policy has no state")
        if not deterministic:
            raise UnsupportedError("deterministic: True expected, found False; an .rlc policy has no randomness")
        return self(observation), None

    def logits(self, observations: Any) -> FloatArray:
        """The network's outputs before the head, for one observation or a batch.

        Args:
            observations: as in a call.

        Returns:
            (outputs,) or (n, outputs) float32.
        """
        rows, batch = self._rows(observations)
        if self._outputs is None:
            self._outputs = kernels.Model(artifact.without_head(self._model.image))
        found = np.empty((len(rows), self.output_size), np.float32)
        self._outputs.run(rows, found)
        return found if batch else found[0]

    def self_test(self) -> int:
        """Run the file's golden vectors.

        Returns:
            How many there are, all of them right.

        Raises:
            RlcompressError: one gives other bits than the file says.
        """
        try:
            return self._model.self_test()
        except RuntimeError as error:
            raise RlcompressError(f"{error}; the file was made by other arithmetic, or this build is broken") from None

    @property
    def contract(self) -> Contract:
        """What goes in and what comes out."""
        return self._contract

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The notes in the file."""
        return self._metadata

    @property
    def image(self) -> bytes:
        """The bytes of the file that runs."""
        return self._model.image

    @property
    def input_size(self) -> int:
        """Values in one flattened observation."""
        return self._model.input_size

    @property
    def output_size(self) -> int:
        """Outputs of the last layer."""
        return self._model.output_size

    @property
    def weights_bytes(self) -> int:
        """Bytes of weights, biases, scales and indices."""
        return self._model.weights_bytes

    @property
    def target(self) -> str:
        """Instruction set that the core uses on this machine."""
        return kernels.active_target()

    def __reduce__(self) -> tuple[type[Runtime], tuple[bytes]]:
        return type(self), (self.image,)

    def __repr__(self) -> str:
        return (
            f"Runtime({self._shape} -> {self.output_size} {self._contract.head.kind}, "
            f"{self.weights_bytes} bytes of weights, {self.target})"
        )

    def _rows(self, observation: Any) -> tuple[FloatArray, bool]:
        """Observations as (n, inputs) C-contiguous float32, and whether a batch was given."""
        array = observation if type(observation) is np.ndarray else _as_array(observation, self._shape)
        shape = array.shape
        if shape == self._shape:
            batch = False
        elif shape[1:] == self._shape and len(shape) == len(self._shape) + 1:
            batch = True
        else:
            raise InvalidValueError(f"observation: shape {self._shape} or (n, *{self._shape}) expected, found {shape}")
        if array.dtype != np.float32 or not array.flags.aligned:
            array = _as_float32(array)
        return np.ascontiguousarray(array).reshape(-1 if batch else 1, self._model.input_size), batch


def _as_array(observation: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    try:
        return np.asarray(observation)
    except ValueError as error:
        raise InvalidValueError(f"observation: shape {shape} or (n, *{shape}) expected, found {error}") from None


def _as_float32(array: npt.NDArray[Any]) -> FloatArray:
    if array.dtype.kind not in "fiub":
        raise InvalidValueError(f"observation: real numbers expected, found {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _check_out(out: npt.NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InvalidValueError(f"out: {dtype} array of shape {shape} expected, found {found}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InvalidValueError("out: a writable C-contiguous array expected; give np.empty(shape, dtype)")
