"""Whether a network's sizes and head fit labelled rows, and what to do where they do not."""

from __future__ import annotations

import numpy as np

from rlcompress.contract import Argmax
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.tasks.labelled import Pair
from rlcompress.tasks.row_checks import Metric


def check_inputs(network: Network, rows: Pair, metric: Metric, name: str) -> None:
    """Refuse a network of another width, or one that chooses classes where values are asked for.

    Raises:
        InvalidValueError: says which size or head is wrong.
    """
    wanted = int(np.prod(rows.x.shape[1:]))
    if network.contract.input_size != wanted:
        raise InvalidValueError(f"{name}: rows of {wanted} values, the network takes {network.contract.input_size}")
    if metric == "squared_error" and isinstance(network.contract.head, Argmax):
        raise InvalidValueError(f"{name}: values are asked for, the network's head is argmax; use Raw()")


def check_outputs(network: Network, rows: Pair, needed: int, metric: Metric, name: str) -> None:
    """Refuse a network with too few outputs for the classes, or not one for each value.

    Args:
        network: to be judged.
        rows: of the task.
        needed: outputs.
        metric: of the task.
        name: of the task, for messages.

    Raises:
        InvalidValueError: says both numbers, and the remedy where one is known.
    """
    found = network.output_size
    if found >= needed if metric == "accuracy" else found == needed:
        return
    remedy = _remedy(found, rows) if metric == "accuracy" else ""
    raise InvalidValueError(f"{name}: {needed} outputs needed, the network gives {found}{remedy}")


def _remedy(outputs: int, rows: Pair) -> str:
    if outputs == 1:
        return (
            "; for values give metric='squared_error' (--kind values for a command), for two classes told by one "
            "output rlc.two_outputs(network) (--kind classes)"
        )
    if len(np.unique(rows.y)) <= outputs:
        return (
            f"; classes {rows.y.min()} to {rows.y.max()} were found, number them from 0 as the outputs are: "
            "np.searchsorted(classifier.classes_, y)"
        )
    return ""
