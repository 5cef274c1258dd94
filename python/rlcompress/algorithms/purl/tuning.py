"""Fine-tuning with masks held, after the search: of a pruned `Network`, and told as events."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.allotment import Kept
from rlcompress.algorithms.purl.identity import rows_digest
from rlcompress.algorithms.purl.judging import Judge, score_as_it_is
from rlcompress.arrays import BoolArray
from rlcompress.engine.events import Emit, Progress, RunFinished, RunStarted
from rlcompress.errors import DivergenceError, InvalidValueError, whole_number
from rlcompress.importers.torch_module import from_torch, to_torch
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prepared_rows import network_inputs, prepared
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rows import example_of
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.training.finetuning import FineTuning, Report
from rlcompress.training.labelled_rows import Augment, LabelledRows, is_pair
from rlcompress.training.mask_search import Schedule
from rlcompress.training.model_inputs import input_type, outputs_of
from rlcompress.training.objective import Objective
from rlcompress.training.precision import widen
from rlcompress.training.private_copy import preserved_generators
from rlcompress.training.tensor_digest import function_name


@dataclass(frozen=True, eq=False)
class Tuning:
    """A fine-tuning that is wanted.

    Args:
        rows: as the module takes them.
        settings: how.
        augment: (x batch, torch.Generator) to x batch, or None.
        schedule: how weights go from the dense model down to the plan's counts; None: one cut, then masks are held.
        recovery: what the cut model is recovered by before it is trained.
    """

    rows: Any
    settings: FineTuning
    augment: Augment | None = None
    schedule: Schedule | None = None
    recovery: tuple[Recovery, ...] = ()

    @property
    def digest(self) -> str:
        """Short digest of what tells two trainings apart; the change of batches counts by its name."""
        told = (self.settings, self.schedule, function_name(self.augment), rows_digest(self.rows), self.recovery)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def tuning_settings(given: FineTuning | None, epochs: int, seed: int) -> FineTuning | None:
    """How to train after the search, or None.

    Raises:
        InvalidValueError: both ways of saying so, or not a number of epochs.
    """
    epochs = whole_number(epochs, "finetune_epochs", 0)
    if given is None:
        return FineTuning(epochs=epochs, seed=seed) if epochs else None
    if epochs:
        raise InvalidValueError(f"finetune: give it or finetune_epochs, not both (found {epochs} epochs)")
    if not isinstance(given, FineTuning):
        raise InvalidValueError(f"finetune: a rlcompress.training.FineTuning expected, found {given!r:.80}")
    return given if given.epochs else None


def tuning_of(
    judge: Judge, settings: FineTuning, data: Any, augment: Augment | None = None, schedule: Schedule | None = None
) -> Tuning:
    """A fine-tuning whose rows and model were tried together: what cannot work must not wait for the search.

    Raises:
        InvalidValueError: no rows, or rows that the model cannot be trained on.
    """
    if schedule is not None and not isinstance(schedule, Schedule):
        raise InvalidValueError(f"gradual: a rlcompress.training.Schedule expected, found {schedule!r:.80}")
    if data is None:
        raise InvalidValueError("finetune_epochs: rows to train on expected; give data or finetune_data")
    example_of(data)
    rows = prepared(judge.prunable.network, data)
    check_trainable(judge.prunable.apply(judge.prunable.plan(judge.dense)), rows, settings)
    return Tuning(rows, settings, augment, schedule)


def check_trainable(module: Any, rows: Any, settings: FineTuning) -> None:
    """One forward and loss on the first rows, on a model that is not needed afterwards.

    Raises:
        InvalidValueError: says what does not fit.
    """
    torch = require("torch")
    widen(module)
    with preserved_generators(), torch.no_grad():
        first = rows if is_pair(rows) else [next(iter(rows))]
        device = next(module.parameters()).device
        try:
            labelled = LabelledRows(first, settings.batch_size, device=device, kind=input_type(module))
            x, y, _ = next(labelled.epoch(settings.seed, 0))
            objective = Objective(labelled.discrete)
            outputs = outputs_of(module.train(), x)
            objective.check(outputs, y)
            loss = float(objective.loss(outputs, y, None))
        except InvalidValueError as error:
            raise InvalidValueError(f"fine-tuning: {error}") from error
    if not np.isfinite(loss):
        raise InvalidValueError(f"fine-tuning: a finite loss of the first rows expected, found {loss}; check the rows")


@dataclass(frozen=True, eq=False)
class Trained:
    """A plan after a training.

    Args:
        model: the module, with real zeros.
        masks: one bool array per layer, True = kept.
    """

    model: Any
    masks: tuple[BoolArray, ...]


@dataclass(frozen=True, eq=False)
class PlanTraining:
    """Fine-tuning of plans, and their score after it.

    Args:
        judge: of the search.
        judging: rows and metric, or function, that score a module as it is.
    """

    judge: Judge
    judging: dict[str, Any]

    def trained(
        self, plan: Plan, wanted: Tuning, on_epoch: Report | None = None, checkpoint: Path | None = None
    ) -> Trained:
        """The plan's module after this training, taught by the dense one."""
        from rlcompress.training.sparse_finetune import fine_tune, gradual

        target = self.judge.prunable
        dense, masks = target.plan(self.judge.dense), target.masks(plan)
        told: dict[str, Any] = {"augment": wanted.augment, "on_epoch": on_epoch, "checkpoint": checkpoint}
        told["teacher"] = target.apply(dense)
        if wanted.schedule is None:
            held = dict(zip(plan.layers, masks))
            start = self.judge.recovering(wanted.recovery).model(plan.kept)
            return Trained(fine_tune(start, held, wanted.rows, wanted.settings, **told), tuple(masks))
        start = target.apply(dense, prune_masks=target.ceilings != target.sizes)  # zeros that it came with stay
        model, found = gradual(start, plan, wanted.rows, wanted.settings, wanted.schedule, **told)
        return Trained(model, tuple(found[name] for name in plan.layers))

    def score(self, kept: Kept, wanted: Tuning) -> float:
        """Score of a plan on the rows of the search after this training; -inf where the training diverges."""
        try:
            return self.score_of(self.trained(self.judge.prunable.plan(kept), wanted).model)
        except DivergenceError:
            return float("-inf")

    def score_of(self, module: Any) -> float:
        """Score of a module on the rows of the search, nothing recovered."""
        return score_as_it_is(module, **self.judging)


def checkpoint_of(folder: Path, plan: Plan, tuning: Tuning) -> Path:
    """Where the fine-tuning of this plan on these rows is kept: a search that goes on to another plan trains afresh."""
    told = json.dumps(plan.to_json(), sort_keys=True)
    return folder / f"finetune-{tuning.digest}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.ckpt"


def untrained_kept(before: float, after: float) -> str:
    """What the user must know where a training did harm."""
    return (
        f"fine-tuning lowered the score on the rows of the search from {before:.4f} to {after:.4f}: the model of "
        "before is kept; a lower learning rate, or more epochs or rows, may help"
    )


@contextmanager
def told_as_a_run(name: str, emit: Emit) -> Iterator[Report]:
    """A training told as a run of its own; gives what to call after each epoch."""
    began = time.monotonic()
    emit(RunStarted("fine-tuning", name, resumed=False))
    ending = "interrupted"
    try:
        yield lambda epoch: emit(Progress(epoch.done / epoch.of))
        ending = "done"
    finally:
        emit(RunFinished(ending, time.monotonic() - began))


def tuned_network(
    network: Network,
    teacher: Network,
    task: DatasetTask,
    epochs: int,
    seed: int = 0,
    folder: Path | None = None,
    on_epoch: Report | None = None,
    recovery: tuple[Recovery, ...] = (),
) -> Network:
    """The pruned network after training on the task's training rows; what is zero stays zero.

    Args:
        network: plain float32 layers with masks.
        teacher: the dense network, whose outputs are learnt besides the labels.
        task: its rows outside of all splits train.
        epochs: >= 0.
        seed: of the order of rows.
        folder: keeps the training; the same call goes on after its last whole epoch.
        on_epoch: called after each epoch.
        recovery: by what the network was recovered; tells its training from others in the folder.

    Raises:
        InvalidValueError: layers of another kind, or a loss that is not finite.
    """
    from rlcompress.training.sparse_finetune import fine_tune

    layers = network.dense_layers()
    module: Any = to_torch(network.with_layers([layer.with_mask(None) for layer in layers]))
    places = [name for name, part in module.named_modules() if hasattr(part, "weight")]
    masks = {f"{place}.weight": np.array(layer.mask) for place, layer in zip(places, layers) if layer.mask is not None}
    x, y = task.training_rows
    rows = (network_inputs(network, x), np.array(y if task.metric == "accuracy" else y.reshape(len(y), -1)))
    settings = FineTuning(epochs=epochs, seed=seed)
    counts = [layer.weight.size if layer.mask is None else int(layer.mask.sum()) for layer in layers]
    plan = Plan(
        tuple(f"{place}.weight" for place in places), tuple(layer.weight.size for layer in layers), tuple(counts)
    )
    checkpoint = None if folder is None else checkpoint_of(folder, plan, Tuning(rows, settings, recovery=recovery))
    trained = fine_tune(
        module, masks, rows, settings, teacher=to_torch(teacher), on_epoch=on_epoch, checkpoint=checkpoint
    )
    tuned = from_torch(trained, network.contract)
    held = [layer.with_mask(old.mask) for layer, old in zip(tuned.dense_layers(), layers)]
    return network.with_layers(held).with_metadata(tuned_epochs=epochs)
