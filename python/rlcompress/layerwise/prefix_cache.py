"""Live values at the entry of a layer, by the plan of the layers before it; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from rlcompress.layerwise.program import Values

Prefix = tuple[int, ...]


@dataclass(eq=False)
class State:
    """What is alive at a step, for each batch in order (the first ones, where a run stopped early).

    Attributes:
        batches: live values per batch.
        blocks: address and bytes of the memory that the values hold, that of the data left out.
    """

    batches: list[Values] = field(default_factory=list)
    blocks: dict[int, int] = field(default_factory=dict)


class PrefixCache:
    """States under a bound of bytes that holds at any moment, also while a run adds to them.

    Memory that several states hold (a shortcut is alive at two layers) counts once. A copy for another process is
    empty.

    Args:
        limit_bytes: memory for all states together.
        data: addresses of memory that is held anyway.
    """

    def __init__(self, limit_bytes: int, data: Set[int] = frozenset()) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self.data = data
        self._states: OrderedDict[Prefix, State] = OrderedDict()
        self._holders: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._states)

    def __reduce__(self) -> tuple[type[PrefixCache], tuple[int]]:
        return PrefixCache, (self.limit_bytes,)

    def get(self, prefix: Prefix) -> State | None:
        """The state under this prefix, now the most recently used, or None."""
        state = self._states.get(prefix)
        if state is not None:
            self._states.move_to_end(prefix)
        return state

    def add(self, prefix: Prefix, place: int, values: Values) -> None:
        """Keep the values of batch `place`, where those of all batches before it are kept; the oldest make room."""
        state = self.get(prefix)
        if place != (0 if state is None else len(state.batches)):
            return
        if state is None:
            state = self._states[prefix] = State()
        state.batches.append(values)
        for block, size in blocks_of(values, self.data).items():
            if block not in state.blocks:
                state.blocks[block] = size
                self._hold(block, size)
        while self.size_bytes > self.limit_bytes:
            self._drop(next(iter(self._states)))

    def clear(self) -> None:
        """Drop all states."""
        for prefix in list(self._states):
            self._drop(prefix)

    def _hold(self, block: int, size: int) -> None:
        held = self._holders.get(block, 0)
        self._holders[block] = held + 1
        self.size_bytes += 0 if held else size

    def _drop(self, prefix: Prefix) -> None:
        for block, size in self._states.pop(prefix).blocks.items():
            self._holders[block] -= 1
            if not self._holders[block]:
                del self._holders[block]
                self.size_bytes -= size


def blocks_of(values: Values, data: Set[int]) -> dict[int, int]:
    """Address and bytes of the whole memory behind each value, views included, but for those in `data`."""
    storages = [tensor.untyped_storage() for value in values.values() for tensor in _tensors(value)]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return {block: size for block, size in sizes.items() if block not in data}


def _tensors(value: Any) -> list[Any]:
    if hasattr(value, "untyped_storage"):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for entry in value for tensor in _tensors(entry)]
    if isinstance(value, dict):
        return [tensor for entry in value.values() for tensor in _tensors(entry)]
    return []
