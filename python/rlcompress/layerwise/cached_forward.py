"""Forwards of a working copy over batches that start where the plan last changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

from rlcompress.layerwise.freed_memory import give_back_freed
from rlcompress.layerwise.prefix_cache import Prefix, PrefixCache, State, blocks_of
from rlcompress.layerwise.program import Program, Sink, Values
from rlcompress.layerwise.rows import Batch, data_storages
from rlcompress.layerwise.working_weights import WorkingWeights
from rlcompress.optional import require

_TIDY_SHARE = 4


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
        limit_bytes: memory for activations that are kept; those of the stage that a run starts from and of one batch on
            its way may come on top.
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
        self._cache = PrefixCache(limit_bytes, data_storages(batches))
        self.stages = _stages(program.entries, [layer.macs for layer in weights.prunable.layers])
        self._rows = sum(batch.rows for batch in self._judging)
        self._sizes = self._stage_sizes()
        self._passed_bytes = 0
        self.spent = 0.0

    @property
    def _judging(self) -> tuple[Batch, ...]:
        return self._batches if self._calibration is None else self._batches[1:]

    def outputs(self, kept: tuple[int, ...]) -> Iterator[tuple[Batch, Any]]:
        """Each batch with the model's output; stop whenever enough is known: what was run is kept."""
        torch = require("torch")
        entered = self._entered(kept)
        wanted = {stage.entry: kept[: stage.first] for stage in self._wanted(kept)}
        self._weights.set(kept)
        try:
            for place, batch in enumerate(self._batches):
                start, values, share = self._enter(entered, place, batch)
                saves = {entry: _Saving(self._cache, prefix, place) for entry, prefix in wanted.items()}
                self.spent += share * batch.rows / self._rows
                with torch.no_grad():
                    if self._calibration is not None and place == 0:
                        self._calibration.run(values, start, saves, kept)
                        continue
                    output = self._program.run(values, start, saves)
                yield batch, output
        finally:
            # The last stages first, so that the stage that the next plan enters is the most recently used.
            for prefix in reversed(wanted.values()):
                self._cache.get(prefix)
            self._tidy(entered[0][0].first if entered else 0)

    def release(self) -> None:
        """Give the memory of the activations back; the next run makes them again."""
        self._cache.clear()
        give_back_freed()

    def _tidy(self, first: int) -> None:
        """Give freed memory back once runs, of which this began at layer `first`, took a share of the bound for values.

        The longer-lived ones lie between those of a run, so that what is free between them fits no later run.
        """
        self._passed_bytes += sum(size for index, size in self._sizes.items() if self.stages[index].first >= first)
        if 0 < self._cache.limit_bytes < self._passed_bytes * _TIDY_SHARE:
            self._passed_bytes = 0
            give_back_freed()

    def recover(self, kept: tuple[int, ...]) -> None:
        """Set weights and statistics of the whole working copy as the calibration gives them under this plan."""
        self._weights.set(kept)
        if self._calibration is not None:
            first = self._batches[0]
            self._calibration.run(self._program.inputs(first.args, first.kwargs), 0, {}, kept)

    def _stage_sizes(self) -> dict[int, int]:
        """Bytes of the live values at each stage for all rows, judged by the first batch; nothing is held."""
        batch = self._judging[0]
        meters = {stage.entry: _Meter(self._cache.data) for stage in self.stages}
        with require("torch").no_grad():
            self._program.run(self._program.inputs(batch.args, batch.kwargs), 0, meters)
        rows = sum(batch.rows for batch in self._batches)
        sizes = [meters[stage.entry].size_bytes * rows // batch.rows for stage in self.stages]
        return dict(enumerate(sizes))

    def _entered(self, kept: tuple[int, ...]) -> list[tuple[Stage, State]]:
        """The last stage whose values are known for all batches, then those known for the first ones.

        Under a calibration all batches start where its rows do: what lies before is not set again.
        """
        # All are asked for, so that what many plans begin with counts as used; few are held while the plan runs.
        states = [(stage, state) for stage in self.stages if (state := self._cache.get(kept[: stage.first]))]
        whole = [index for index, (_, state) in enumerate(states) if len(state.batches) == len(self._batches)]
        if self._calibration is not None:
            return [states[index] for index in whole[-1:]]
        return states[whole[-1] if whole else 0 :]

    def _enter(self, entered: Sequence[tuple[Stage, State]], place: int, batch: Batch) -> tuple[int, Values, float]:
        """Where a batch starts, and on what."""
        for stage, state in reversed(entered):
            if place < len(state.batches):
                return stage.entry, dict(state.batches[place]), stage.share
        return 0, self._program.inputs(batch.args, batch.kwargs), 1.0

    def _wanted(self, kept: tuple[int, ...]) -> list[Stage]:
        """Stages worth keeping, in order.

        Of a plan that goes on dense, as an episode's do: where its last pruned layer is entered, for its other actions,
        and where the next one is. Of a whole plan: those that are small, since any layer may change next.
        """
        full = self._weights.prunable.ceilings
        changed = max((index + 1 for index in range(len(kept)) if kept[index] != full[index]), default=0)
        if changed < len(kept):
            last = max(index for index, stage in enumerate(self.stages) if stage.first <= max(changed - 1, 0))
            following = [index for index, stage in enumerate(self.stages) if stage.first >= changed]
            fitting = self._fitting([*following[:1], last], self._cache.limit_bytes)
        else:
            fitting = self._fitting(sorted(self._sizes, key=self._sizes.__getitem__), self._cache.limit_bytes // 4)
        return [self.stages[index] for index in sorted(fitting)]

    def _fitting(self, indices: Sequence[int], room: int) -> set[int]:
        """The first of these stages that fit into so many bytes together."""
        found = set()
        for index in indices:
            room -= 0 if index in found else self._sizes[index]
            if room < 0:
                break
            found.add(index)
        return found


@dataclass(frozen=True, eq=False)
class _Saving:
    """Hands the values of one batch to the cache."""

    cache: PrefixCache
    prefix: Prefix
    place: int

    def append(self, values: Values) -> None:
        self.cache.add(self.prefix, self.place, values)


class _Meter:
    """Measures values instead of keeping them."""

    def __init__(self, data: Set[int]) -> None:
        self.size_bytes = 0
        self._data = data

    def append(self, values: Values) -> None:
        self.size_bytes += sum(blocks_of(values, self._data).values())


def _stages(entries: Sequence[int], macs: Sequence[int]) -> tuple[Stage, ...]:
    total = max(1, sum(macs))
    firsts = [index for index, entry in enumerate(entries) if index == 0 or entries[index - 1] != entry]
    return tuple(Stage(entries[first], first, sum(macs[first:]) / total) for first in firsts)
