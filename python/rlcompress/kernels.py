"""The typed face of the C++ core; no other module imports `_core`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from rlcompress import _core
from rlcompress.arrays import BoolArray, ByteArray, FloatArray, Int64Array
from rlcompress.errors import FormatError, InvalidValueError

__version__: str = _core.__version__


class Model(_core.Model):
    """A network executed from an `.rlc` image (`docs/format.md`); immutable, any number of threads may run one.

    `run(observations, actions)` takes C-contiguous float32 arrays of shape (n, input_size) and (n, action_size) and
    fills the second; a row's result does not depend on n. `self_test()` replays the golden vectors and returns how many
    there are.

    Args:
        image: the whole file; it is copied.

    Raises:
        FormatError: the image is malformed.
        InvalidValueError: RLCOMPRESS_TARGET names a target that cannot run here.
    """

    def __init__(self, image: bytes) -> None:
        try:
            super().__init__(image)
        except ValueError as error:
            verify(image)
            raise InvalidValueError(str(error)) from None

    def __reduce__(self) -> tuple[Callable[[bytes], Model], tuple[bytes]]:
        return type(self), (self.image,)


HotCall = _core.HotCall
"""Base of `Runtime`: calls with float32 arrays of the expected shape go straight to the core, others to `_general`."""


def verify(image: bytes) -> None:
    """Check that `image` is a well-formed `.rlc` file.

    Raises:
        FormatError: names the field, its offset, what was expected and what was found.
    """
    fault = _core.verify(image)
    if fault is not None:
        _, field, offset, expected, found = fault
        raise FormatError(field, offset, expected, found)


def targets(available: bool = True) -> tuple[str, ...]:
    """Names of the instruction sets the kernels are compiled for, best first.

    Args:
        available: only those that this processor can run.
    """
    return tuple(_core.available_targets() if available else _core.compiled_targets())


def active_target() -> str:
    """Name of the target in use.

    Raises:
        InvalidValueError: RLCOMPRESS_TARGET names a target that cannot run here.
    """
    try:
        return _core.active_target()
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def force_target(name: str) -> None:
    """Use target `name` from now on, in every thread. Results do not change, only speed does.

    Raises:
        InvalidValueError: no such target, or this processor cannot run it; the message names those it can.
    """
    try:
        _core.force_target(name)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


@contextmanager
def forced_target(name: str) -> Iterator[str]:
    """`force_target(name)` for the length of a `with` block.

    Raises:
        InvalidValueError: as `force_target`.
    """
    before = active_target()
    force_target(name)
    try:
        yield name
    finally:
        force_target(before)


# Time


def call_times_ns(model: Model, observations: FloatArray, calls: int) -> npt.NDArray[np.float64]:
    """Time of single runs, taken in C++: no Python runs between the clock and the call.

    Args:
        model: what runs.
        observations: (n, input_size) C-contiguous float32; call k takes row k mod n.
        calls: how many.

    Returns:
        (calls,) nanoseconds, each with the clock's own time, see `clock_ns`.

    Raises:
        InvalidValueError: observations of another shape.
    """
    times = np.empty(calls, np.float64)
    try:
        _core.call_times(model, observations, times)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None
    return times


def read_ns(size_bytes: int, batches: int = 200) -> float:
    """Least time in which this machine reads so many bytes again that it has just read, in nanoseconds."""
    return _core.read_ns(size_bytes, batches)


def clock_ns() -> float:
    """What looking at the clock adds to a measured time, in nanoseconds (median)."""
    return _core.clock_ns()


# Magnitude ranking


def magnitude_threshold(weights: Sequence[FloatArray], keep: int) -> tuple[float, int]:
    """The `keep`-th largest magnitude over all arrays, and how many weights of exactly that magnitude are kept.

    Args:
        weights: C-contiguous float32 arrays.
        keep: 0..total size; 0 gives (infinity, 0).

    Raises:
        InvalidValueError: NaN among the weights, or `keep` out of range.
    """
    try:
        return _core.magnitude_threshold(list(weights), keep)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def keep_largest(weights: Sequence[FloatArray], keep: int, masks: Sequence[BoolArray]) -> None:
    """Write the masks of the `keep` largest magnitudes over all arrays; ties keep the lower index, in list order.

    Args:
        weights: C-contiguous float32 arrays.
        keep: 0..total size.
        masks: C-contiguous writable bool arrays of the same sizes that overlap nothing; undefined after an error.

    Raises:
        InvalidValueError: NaN among the weights, `keep` out of range, or masks of other sizes or in shared memory.
    """
    try:
        _core.keep_largest(list(weights), keep, list(masks))
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def keep_largest_bits(weights: Sequence[FloatArray], keep: int, masks: Sequence[ByteArray]) -> None:
    """`keep_largest` with one bit per weight: of flat index i bit i % 8 of byte i // 8; unused bits are 0.

    Args:
        weights: C-contiguous float32 arrays.
        keep: 0..total size.
        masks: C-contiguous writable uint8 arrays of ceil(size / 8) bytes; undefined after an error.

    Raises:
        InvalidValueError: as `keep_largest`.
    """
    try:
        _core.keep_largest_bits(list(weights), keep, list(masks))
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def keep_at_least(weight: FloatArray, threshold: float, mask: BoolArray) -> None:
    """Write the mask of `|weight| >= threshold`.

    Args:
        weight: C-contiguous float32 array.
        threshold: not NaN; rounded to float32.
        mask: C-contiguous writable bool array of the same size; undefined after an error.

    Raises:
        InvalidValueError: NaN among the weights or as threshold, or a mask of another size or in shared memory.
    """
    try:
        _core.keep_at_least(weight, threshold, mask)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def keep_at_least_bits(weight: FloatArray, threshold: float, mask: ByteArray) -> None:
    """`keep_at_least` with one bit per weight, as `keep_largest_bits`.

    Raises:
        InvalidValueError: as `keep_at_least`.
    """
    try:
        _core.keep_at_least_bits(weight, threshold, mask)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def weight_statistics(weight: FloatArray) -> tuple[float, float, float]:
    """Mean, population standard deviation and largest magnitude, summed in float64; the same bits on every target.

    Args:
        weight: C-contiguous float32 array; (0, 0, 0) if it is empty.

    Raises:
        InvalidValueError: NaN or infinity among the weights.
    """
    try:
        return _core.weight_statistics(weight)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def counts_at_least(weight: FloatArray, thresholds: FloatArray, counts: Int64Array) -> None:
    """Write how many `|weight| >= threshold`, for each threshold.

    Args:
        weight: C-contiguous float32 array.
        thresholds: C-contiguous float32 array of any size and order.
        counts: C-contiguous writable int64 array of the same size.

    Raises:
        InvalidValueError: NaN on either side, or sizes that do not match.
    """
    try:
        _core.counts_at_least(weight, thresholds, counts)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


# Sparse matrix times dense columns

SPARSE_LAYOUTS = ("rows", "slices", "blocks")


class SparseMatrix(_core.SparseMatrix):
    """A masked matrix packed in one layout (`rlcompress/matmul.hpp`); `rlcompress.sparse` chooses among them.

    Args:
        weight: (outputs, inputs) C-contiguous float32.
        mask: (outputs, inputs) C-contiguous bool, True = kept.
        layout: one of `SPARSE_LAYOUTS`.

    Raises:
        InvalidValueError: shapes that do not match, or a mask that does not keep whole blocks in layout `blocks`.
    """

    def __init__(self, weight: FloatArray, mask: BoolArray, layout: str) -> None:
        try:
            super().__init__(weight, mask, SPARSE_LAYOUTS.index(layout))
        except ValueError as error:
            raise InvalidValueError(str(error)) from None


def sparse_multiply(matrix: SparseMatrix, x: FloatArray, out: FloatArray, bias: FloatArray | None = None) -> None:
    """Write `matrix @ x` (+ bias); the bits depend on nothing but the operands.

    Args:
        matrix: of shape (outputs, inputs).
        x: (inputs,) or (inputs, n) C-contiguous float32.
        out: (outputs,) or (outputs, n) C-contiguous float32 that overlaps neither x nor bias.
        bias: (outputs,) C-contiguous float32.

    Raises:
        InvalidValueError: shapes or memory layouts that do not match, or arrays that overlap.
    """
    try:
        matrix.multiply(x, out, bias)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


# The rest of a masked training step (rlcompress/training.hpp); `rlcompress.training.masked` puts it together

sgd_update = _core.sgd_update
adam_update = _core.adam_update
activate = _core.activate
activation_slope = _core.activation_slope
cross_entropy = _core.cross_entropy
gather = _core.gather
transpose = _core.transpose
