"""Live values at the entry of a layer, by the plan of the layers before it; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlcompress.layerwise.program import Values

Prefix = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What is alive at a step, for each batch in order (the first ones, where a run stopped early).

    Args:
        batches: live values per batch.
        size_bytes: memory that the values hold, those of the data themselves left out.
    """

    batches: list[Values]
    size_bytes: int


class PrefixCache:
    """States under a bound of bytes.

    Args:
        limit_bytes: memory for all states together; what does not fit alone is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self._states: OrderedDict[Prefix, State] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, prefix: Prefix) -> State | None:
        """The state under this prefix, now the most recently used, or None."""
        state = self._states.get(prefix)
        if state is not None:
            self._states.move_to_end(prefix)
        return state

    def put(self, prefix: Prefix, state: State) -> None:
        """Keep a state, unless a longer one is there; the oldest make room."""
        held = self._states.get(prefix)
        if state.size_bytes > self.limit_bytes or (held and len(held.batches) >= len(state.batches)):
            return
        if held:
            self.size_bytes -= held.size_bytes
        self._states[prefix] = state
        self._states.move_to_end(prefix)
        self.size_bytes += state.size_bytes
        while self.size_bytes > self.limit_bytes:
            _, oldest = self._states.popitem(last=False)
            self.size_bytes -= oldest.size_bytes


def size_of(batches: Sequence[Values], data: set[int]) -> int:
    """Bytes of the distinct memory behind the values, but for the storages in `data`."""
    sizes: dict[int, int] = {}
    for values in batches:
        for value in values.values():
            for tensor in _tensors(value):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in data:
                    sizes[storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())


def _tensors(value: Any) -> list[Any]:
    if hasattr(value, "untyped_storage"):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for entry in value for tensor in _tensors(entry)]
    if isinstance(value, dict):
        return [tensor for entry in value.values() for tensor in _tensors(entry)]
    return []
