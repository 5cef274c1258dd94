"""Fine-tuning with masks held, after the search: of a pruned `Network`, and told as events."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.judging import network_inputs
from rlcompress.engine.events import Emit, Progress, RunFinished, RunStarted
from rlcompress.importers.torch_module import from_torch, to_torch
from rlcompress.layerwise.plan import Plan
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.training.finetuning import FineTuning, Report


def checkpoint_of(folder: Path, plan: Plan, epochs: int) -> Path:
    """Where the fine-tuning of this plan is kept: a search that goes on to another plan trains afresh."""
    digest = hashlib.sha256(json.dumps([plan.to_json(), epochs], sort_keys=True).encode()).hexdigest()
    return folder / f"finetune-{digest[:12]}.ckpt"


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
    checkpoint: Path | None = None,
    on_epoch: Report | None = None,
) -> Network:
    """The pruned network after training on the task's training rows; what is zero stays zero.

    Args:
        network: plain float32 layers with masks.
        teacher: the dense network, whose outputs are learnt besides the labels.
        task: its rows outside of all splits train.
        epochs: >= 0.
        seed: of the order of rows.
        checkpoint: file that keeps the training; the same call goes on after its last whole epoch.
        on_epoch: called after each epoch.

    Raises:
        InvalidValueError: layers of another kind, or a loss that is not finite.
    """
    from rlcompress.training.sparse_finetune import fine_tune

    layers = network.dense_layers()
    module: Any = to_torch(network.with_layers([layer.with_mask(None) for layer in layers]))
    places = [name for name, part in module.named_modules() if hasattr(part, "weight")]
    masks = {f"{place}.weight": np.array(layer.mask) for place, layer in zip(places, layers) if layer.mask is not None}
    x, y = task.training_rows
    rows = (np.array(network_inputs(network, x)), np.array(y if task.metric == "accuracy" else y.reshape(len(y), -1)))
    settings = FineTuning(epochs=epochs, seed=seed)
    trained = fine_tune(
        module, masks, rows, settings, teacher=to_torch(teacher), on_epoch=on_epoch, checkpoint=checkpoint
    )
    tuned = from_torch(trained, network.contract)
    held = [layer.with_mask(old.mask) for layer, old in zip(tuned.dense_layers(), layers)]
    return network.with_layers(held).with_metadata(tuned_epochs=epochs)
