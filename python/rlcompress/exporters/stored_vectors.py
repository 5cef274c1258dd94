"""What a self-test compares with: stored observations, the bits they give, and a checksum of the constants."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.artifact.golden import golden_inputs
from rlcompress.contract import Argmax, Raw
from rlcompress.network import Network
from rlcompress.runtime import Runtime

GOLDEN = 8
"""Vectors of a self-test."""


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """Observations and what they give.

    Args:
        observations: (vectors, inputs) float32.
        scores: (vectors, outputs) uint32: bits of the values that the head chooses a number by; an action with a
            number hides nearly every wrong weight. (vectors, 0) for other heads.
        actions: (vectors, actions) uint32: bits of the actions.
    """

    observations: FloatArray
    scores: npt.NDArray[np.uint32]
    actions: npt.NDArray[np.uint32]

    @staticmethod
    def of(network: Network, count: int) -> StoredVectors:
        """The vectors of a network."""
        observations = golden_inputs(network.contract, count)
        actions = _bits(network, observations)
        scores = np.zeros((count, 0), np.uint32)
        if isinstance(network.contract.head, Argmax):
            contract = dataclasses.replace(network.contract, head=Raw())
            scores = _bits(dataclasses.replace(network, contract=contract), observations)
        return StoredVectors(observations, scores, actions)


def _bits(network: Network, observations: FloatArray) -> npt.NDArray[np.uint32]:
    rows = observations.reshape(len(observations), *network.contract.observation_shape)
    return np.asarray(Runtime(network)(rows), np.float32).reshape(len(observations), -1).view(np.uint32)


def checksum(arrays: Iterable[npt.NDArray[Any]]) -> int:
    """CRC-32 of the arrays' bytes as a little-endian processor holds them, one after the other."""
    total = 0
    for values in arrays:
        total = zlib.crc32(values.astype(values.dtype.newbyteorder("<")).tobytes(), total)
    return total
