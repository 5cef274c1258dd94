"""Forwards of a working copy over batches that start where the plan last changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rlcompress.layerwise.prefix_cache import PrefixCache, State, size_of
from rlcompress.layerwise.program import Program, Sink, Values
from rlcompress.layerwise.rows import Batch, data_storages
from rlcompress.layerwise.working_weights import WorkingWeights
from rlcompress.optional import require


@dataclass(frozen=True, eq=False)
class Stage:
    """A step that enters at least one layer.

    Args:
        entry: index of the step.
        first: first layer that it enters; what is alive here depends on the layers before it alone.
        share: of the network's multiply-accumulates from here on.
    """

    entry: int
    first: int
    share: float


class Calibration(Protocol):
    """Sets parameters again while rows run through the steps."""

    def run(self, values: Values, start: int, saves: Mapping[int, Sink], kept: Sequence[int]) -> None:
        """Run the calibration rows from `start` to the end."""


class CachedForward:
    """Outputs under a plan, batch by batch.

    Args:
        program: steps of the working copy.
        weights: of the same copy.
        batches: data; where there is a calibration, the first of them is its rows and gives no output.
        limit_bytes: memory for activations.
        calibration: sets parameters again before the other batches run.
    """

    def __init__(
        self,
        program: Program,
        weights: WorkingWeights,
        batches: Sequence[Batch],
        limit_bytes: int,
        calibration: Calibration | None = None,
    ) -> None:
        self._program, self._weights, self._batches = program, weights, tuple(batches)
        self._calibration = calibration
        self._data = data_storages(batches)
        self._cache = PrefixCache(limit_bytes)
        self.stages = _stages(program.entries, [layer.macs for layer in weights.prunable.layers])
        self._rows = sum(batch.rows for batch in self._judging)
        self._sizes = self._stage_sizes()
        self.spent = 0.0

    @property
    def _judging(self) -> tuple[Batch, ...]:
        return self._batches if self._calibration is None else self._batches[1:]

    def outputs(self, kept: tuple[int, ...]) -> Iterator[tuple[Batch, Any]]:
        """Each batch with the model's output; stop whenever enough is known: what was run is kept."""
        torch = require("torch")
        states = [self._cache.get(kept[: stage.first]) for stage in self.stages]
        wanted = self._wanted(kept)
        kept_values = {index: list(state.batches) if (state := states[index]) else [] for index in wanted}
        self._weights.set(kept)
        try:
            for place, batch in enumerate(self._batches):
                start, values, share = self._enter(states, place, batch)
                saves = {self.stages[index].entry: found for index, found in kept_values.items() if len(found) == place}
                self.spent += share * batch.rows / self._rows
                with torch.no_grad():
                    if self._calibration is not None and place == 0:
                        self._calibration.run(values, start, saves, kept)
                        continue
                    output = self._program.run(values, start, saves)
                yield batch, output
        finally:
            self._keep(kept, states, kept_values)

    def recover(self, kept: tuple[int, ...]) -> None:
        """Set weights and statistics of the whole working copy as the calibration gives them under this plan."""
        self._weights.set(kept)
        if self._calibration is not None:
            first = self._batches[0]
            self._calibration.run(self._program.inputs(first.args, first.kwargs), 0, {}, kept)

    def _stage_sizes(self) -> dict[int, int]:
        """Bytes of the live values at each stage for all rows, judged by the first batch; nothing is held."""
        batch = self._judging[0]
        meters = {stage.entry: _Meter(self._data) for stage in self.stages}
        with require("torch").no_grad():
            self._program.run(self._program.inputs(batch.args, batch.kwargs), 0, meters)
        sizes = [meters[stage.entry].size_bytes * self._rows // batch.rows for stage in self.stages]
        return dict(enumerate(sizes))

    def _enter(self, states: Sequence[State | None], place: int, batch: Batch) -> tuple[int, Values, float]:
        """Where a batch can start: the last stage whose values are known for it.

        Under a calibration all batches start where its rows do: what lies before is not set again.
        """
        for stage, state in zip(reversed(self.stages), reversed(states)):
            needed = place + 1 if self._calibration is None else len(self._batches)
            if state is not None and len(state.batches) >= needed:
                return stage.entry, dict(state.batches[place]), stage.share
        return 0, self._program.inputs(batch.args, batch.kwargs), 1.0

    def _wanted(self, kept: tuple[int, ...]) -> list[int]:
        """Stages worth keeping.

        Of a plan that goes on dense, as an episode's do: where its last pruned layer is entered, for its other actions,
        and where the next one is. Of a whole plan: those that are small, since any layer may change next.
        """
        full = self._weights.prunable.ceilings
        changed = max((index + 1 for index in range(len(kept)) if kept[index] != full[index]), default=0)
        if changed < len(kept):
            last = max(index for index, stage in enumerate(self.stages) if stage.first <= max(changed - 1, 0))
            following = [index for index, stage in enumerate(self.stages) if stage.first >= changed]
            return sorted({last, *following[:1]})
        found, room = [], self._cache.limit_bytes // 4
        for index, size in sorted(self._sizes.items(), key=lambda item: (item[1], item[0])):
            room -= size
            if room >= 0:
                found.append(index)
        return sorted(found)

    def _keep(self, kept: tuple[int, ...], states: Sequence[State | None], values: dict[int, list[Values]]) -> None:
        # The last stages first, so that the stage that the next plan enters is the most recently used.
        for index in sorted(values, reverse=True):
            batches, before = values[index], states[index]
            if not batches or (before is not None and len(before.batches) >= len(batches)):
                continue
            size = size_of(batches, self._data)
            self._cache.put(kept[: self.stages[index].first], State(batches, size))


class _Meter:
    """Measures values instead of keeping them."""

    def __init__(self, data: set[int]) -> None:
        self.size_bytes = 0
        self._data = data

    def append(self, values: Values) -> None:
        self.size_bytes += size_of([values], self._data)


def _stages(entries: Sequence[int], macs: Sequence[int]) -> tuple[Stage, ...]:
    total = max(1, sum(macs))
    firsts = [index for index, entry in enumerate(entries) if index == 0 or entries[index - 1] != entry]
    return tuple(Stage(entries[first], first, sum(macs[first:]) / total) for first in firsts)
