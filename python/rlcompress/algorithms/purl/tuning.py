"""Fine-tuning of a pruned `Network` with its masks held."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.algorithms.purl.judging import network_inputs
from rlcompress.importers.torch_module import from_torch, to_torch
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask


def tuned_network(network: Network, teacher: Network, task: DatasetTask, epochs: int, seed: int = 0) -> Network:
    """The pruned network after training on the task's training rows; what is zero stays zero.

    Args:
        network: plain float32 layers with masks.
        teacher: the dense network, whose outputs are learnt besides the labels.
        task: its rows outside of all splits train.
        epochs: >= 0.
        seed: of the order of rows.

    Raises:
        InvalidValueError: layers of another kind, or a loss that is not finite.
    """
    from rlcompress.training.finetuning import FineTuning
    from rlcompress.training.sparse_finetune import fine_tune

    layers = network.dense_layers()
    module: Any = to_torch(network.with_layers([layer.with_mask(None) for layer in layers]))
    places = [name for name, part in module.named_modules() if hasattr(part, "weight")]
    masks = {f"{place}.weight": np.array(layer.mask) for place, layer in zip(places, layers) if layer.mask is not None}
    x, y = task.training_rows
    rows = (np.array(network_inputs(network, x)), np.array(y if task.metric == "accuracy" else y.reshape(len(y), -1)))
    trained = fine_tune(module, masks, rows, FineTuning(epochs=epochs, seed=seed), teacher=to_torch(teacher))
    tuned = from_torch(trained, network.contract)
    held = [layer.with_mask(old.mask) for layer, old in zip(tuned.dense_layers(), layers)]
    return network.with_layers(held).with_metadata(tuned_epochs=epochs)
