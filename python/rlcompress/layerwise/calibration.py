"""Recovery from a few rows: while they run through the steps, statistics and weights of what follows a pruned layer are
set again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rlcompress.layerwise.least_squares import fits, fitted
from rlcompress.layerwise.program import Program, Sink, Values
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rows import Batch
from rlcompress.layerwise.working_weights import WorkingWeights
from rlcompress.optional import require

CALIBRATION_ROWS = 512


class LayerCalibration:
    """Sets parameters again, step by step, as functions of the plan of the layers before and at each step.

    Args:
        program: of the working copy.
        weights: of the same copy.
        recovery: what to set again.

    Attributes:
        notes: what cannot be set again, and why.
    """

    def __init__(self, program: Program, weights: WorkingWeights, recovery: frozenset[Recovery]) -> None:
        self._program, self._weights = program, weights
        called = [program.modules[str(node.target)] for node in program.nodes if node.op == "call_module"]
        counts = Counter(id(module) for module in called)
        norms = require("torch.nn.modules.batchnorm")._BatchNorm
        notes = []
        self._norms: dict[Any, tuple[Any, Any]] = {}
        self._layers: dict[Any, tuple[int, Any]] = {}
        for module in called:
            if "batchnorm" in recovery and isinstance(module, norms) and module.running_mean is not None:
                if counts[id(module)] == 1:
                    self._norms[module] = (module.running_mean.clone(), module.running_var.clone())
                else:
                    notes.append(f"a shared {type(module).__name__} keeps its statistics")
        for index, module in enumerate(weights.modules if "least_squares" in recovery else []):
            name = weights.prunable.layers[index].name
            if counts[id(module)] == 1 and fits(module):
                self._layers[module] = (index, None if module.bias is None else module.bias.data)
            else:
                notes.append(f"{name}: not fitted again, it is called more than once or is no layer for least squares")
        self.notes = tuple(notes)

    def run(self, values: Values, start: int, saves: Mapping[int, Sink], kept: Sequence[int]) -> None:
        """Run the calibration rows from `start` to the end and set parameters on the way."""
        full = self._weights.prunable.ceilings
        first = next((index for index in range(len(kept)) if kept[index] != full[index]), len(kept))
        touched = self._program.entries[first] if first < len(kept) else len(self._program.nodes)

        def prepare(index: int, module: Any, inputs: Any) -> None:
            if module in self._norms:
                self._estimate(module, inputs if index > touched else None)
            elif module in self._layers:
                self._fit(module, inputs, kept)

        self._program.run(values, start, saves, prepare=prepare)

    def _estimate(self, module: Any, inputs: Any) -> None:
        if inputs is None:
            module.running_mean, module.running_var = self._norms[module]
            return
        axes = [axis for axis in range(inputs.ndim) if axis != 1]
        module.running_var, module.running_mean = require("torch").var_mean(inputs, dim=axes, correction=0)

    def _fit(self, module: Any, inputs: Any, kept: Sequence[int]) -> None:
        index, bias = self._layers[module]
        dense = self._weights.dense[index]
        if kept[index] == self._weights.prunable.ceilings[index]:
            if bias is not None:
                module.bias.data = bias
            return
        weight, shifted = fitted(module, inputs, dense, bias, self._weights.mask(index, kept[index]))
        self._weights.replace(index, weight)
        if bias is not None:
            module.bias.data = shifted


def calibration_batch(batches: Sequence[Batch]) -> Batch:
    """The first rows of the data as one batch, at most `CALIBRATION_ROWS`."""
    torch = require("torch")
    taken, rows = [], 0
    for batch in batches:
        taken.append(batch)
        rows += batch.rows
        if rows >= CALIBRATION_ROWS:
            break

    def joined(parts: Sequence[Any]) -> Any:
        return torch.cat(list(parts))[:CALIBRATION_ROWS] if isinstance(parts[0], torch.Tensor) else parts[0]

    args = tuple(joined(parts) for parts in zip(*(batch.args for batch in taken)))
    kwargs = {name: joined([batch.kwargs[name] for batch in taken]) for name in taken[0].kwargs}
    return Batch(args, kwargs, joined([batch.targets for batch in taken]), min(rows, CALIBRATION_ROWS))
