"""Rows as a `Network`'s first layer takes them: normalised and selected as its contract says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.training.labelled_rows import check_rereadable, is_pair


def network_inputs(network: Network, x: Any) -> FloatArray:
    """What the first layer reads of observations.

    Args:
        network: whose contract says.
        x: (rows, ...) array or tensor.

    Returns:
        (rows, network_inputs) float32.

    Raises:
        InvalidValueError: observations of another size.
    """
    contract = network.contract
    rows = np.asarray(x, np.float32).reshape(len(x), -1)
    if rows.shape[1] != contract.input_size:
        raise InvalidValueError(f"data: rows of {contract.input_size} values expected, found {rows.shape[1]}")
    if contract.normalisation is not None:
        rows = contract.normalisation.apply(rows)
    return np.ascontiguousarray(contract.select(rows), np.float32)


def prepared(network: Network | None, data: Any) -> Any:
    """Data whose x are observations, as data for the network's layers; without a network as they are.

    Args:
        network: the one whose layers will read them, or None.
        data: `(x, y)` arrays, or an iterable of such batches, which is read again each time as it was.

    Raises:
        InvalidValueError: observations of another size, or an iterator, which can be read only once.
    """
    if network is None or data is None:
        return data
    if is_pair(data):
        return network_inputs(network, data[0]), data[1]
    check_rereadable(data)
    return _PreparedBatches(network, data)


@dataclass(frozen=True, eq=False)
class _PreparedBatches:
    network: Network
    batches: Iterable[Any]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return ((network_inputs(self.network, x), y) for x, y in self.batches)
