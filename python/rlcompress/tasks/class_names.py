"""Names of classes: which output of a network stands for which label of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.tasks.labelled import Targets, missing_row
from rlcompress.tasks.plain_arrays import as_array

_SHOWN = 8


def name_of(label: Any) -> str:
    """A label as text; 1, 1.0 and "1" are the same."""
    value = label.item() if hasattr(label, "item") else label
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def names_of(labels: Any) -> tuple[str, ...] | None:
    """Labels as text, each once; None stays None.

    Raises:
        InvalidValueError: a label twice.
    """
    if labels is None:
        return None
    names = tuple(map(name_of, labels))
    if len(set(names)) < len(names):
        raise InvalidValueError(f"classes: each label once expected, found {_listed(names)}")
    return names


def numbered(
    targets: Sequence[Any], classes: tuple[str, ...] | None, name: str
) -> tuple[list[Any], tuple[str, ...] | None]:
    """Text targets as indices into `classes`, or into their own names in sorted order; numbers as they are.

    Args:
        targets: arrays of one task, (rows,) each.
        classes: names in the order of the indices, where known.
        name: of the targets, for messages.

    Raises:
        InvalidValueError: a gap, or a label that is not among the classes.
    """
    arrays = [_plain(as_array(one), name) for one in targets]
    if any(one.dtype.kind not in "US" or one.ndim != 1 for one in arrays):
        highest = max((int(one.max()) for one in arrays if one.dtype.kind in "iub" and one.size), default=-1)
        if classes is not None and highest >= len(classes):
            raise InvalidValueError(
                f"{name}: class indices below {len(classes)} expected for the classes {_listed(classes)}, found "
                f"{highest}; give labels as text, y.astype(str), or np.searchsorted(classes, y)"
            )
        return arrays, classes
    arrays = [one.astype(str) for one in arrays]
    names = classes if classes is not None else _in_order(np.unique(np.concatenate(arrays)).tolist())
    places = {label: place for place, label in enumerate(names)}
    return [np.array([_place(places, label, name) for label in one], np.int64) for one in arrays], names


def order_for(names: tuple[str, ...] | None, used: Targets, network: Network, task: str) -> tuple[str, ...] | None:
    """Names in the order of the network's outputs; None where the numbers may stand as they are.

    Args:
        names: of the task's indices, None where it has numbers alone.
        used: indices that occur, ascending.
        network: with `metadata["classes"]` where it knows the labels of its outputs.
        task: its name, for messages.

    Raises:
        InvalidValueError: a class that the network does not know, or names that cannot be told from its outputs.
    """
    if names is None:
        return None
    known = _names_in(network)
    if known is None or (_are_indices(known) and not _are_numbers(names)):
        return _by_count(names, used, network, task)
    if _are_indices(names) and not _are_numbers(known):
        return None  # numbers are indices of outputs, as the network's own labels are text
    found = tuple(names[index] for index in used)
    unknown = [label for label in found if label not in known]
    if unknown:
        raise InvalidValueError(
            f"{task}: the network does not know the class {unknown[0]!r}; its classes are {_listed(known)}: drop "
            "or rename such rows"
        )
    same = all(known[index] == names[index] for index in used if index < len(known)) and used[-1] < len(known)
    return None if same else known


def moved(names: tuple[str, ...], order: tuple[str, ...], used: Targets, task: str) -> Targets:
    """(names,) the place of each name in another order; -1 for one that is not in it.

    Raises:
        InvalidValueError: one that is not in it is used.
    """
    places = {label: place for place, label in enumerate(order)}
    for index in used:
        _place(places, names[index], task)
    return np.array([places.get(label, -1) for label in names], np.int64)


def told_classes(names: Any) -> dict[str, list[str]]:
    """The entry of a task's description; none where the numbers are the labels."""
    return {} if names is None or _are_indices(tuple(names)) else {"classes": list(names)}


def _by_count(names: tuple[str, ...], used: Targets, network: Network, task: str) -> tuple[str, ...] | None:
    """Without names in the network: labels in sorted order, if there are as many as outputs."""
    outputs = network.output_size
    if _are_indices(names):
        gap = len(used) == outputs <= used[-1]
        return tuple(names[index] for index in used) if gap else None
    if len(names) < outputs:
        raise InvalidValueError(
            f"{task}: {len(names)} classes found ({_listed(names)}), the network has {outputs} outputs without names; "
            "say what each output stands for, in order: classes=[...], or --classes a,b,c for a command"
        )
    return None


def _names_in(network: Network) -> tuple[str, ...] | None:
    found = network.metadata.get("classes")
    return names_of(found) if isinstance(found, (list, tuple)) and len(found) == network.output_size else None


def _are_indices(names: tuple[str, ...]) -> bool:
    return names == tuple(map(str, range(len(names))))


def _are_numbers(names: tuple[str, ...]) -> bool:
    return all(label.lstrip("-").replace(".", "", 1).isdigit() for label in names)


def _in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=float)) if _are_numbers(tuple(names)) else tuple(names)


def _plain(y: Any, name: str) -> Any:
    """Objects, as pandas gives them, as the numbers or text that they are."""
    if y.dtype.kind != "O" or y.ndim != 1:
        return y
    row = missing_row(y)
    if row is not None:
        raise InvalidValueError(f"{name}: a class for every row expected, found {y[row]} in row {row}; drop such rows")
    return np.array(y.tolist())


def _place(places: dict[str, int], label: str, name: str) -> int:
    if label not in places:
        raise InvalidValueError(f"{name}: one of the classes {_listed(tuple(places))} expected, found {str(label)!r}")
    return places[label]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
