"""`prune` with weights that go while the model trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn.utils import prune

import rlcompress as rlc
from rlcompress.errors import InvalidValueError
from rlcompress.importers.torch_module import to_torch
from rlcompress.training import Schedule

sys.path.insert(0, str(Path(__file__).parent))
from purl_nets import labelled, solver

FAST: dict[str, Any] = {"target_sparsity": 0.93, "evaluations": 12, "agent_share": 0, "pareto": 0}
GRADUAL: dict[str, Any] = {"finetune_epochs": 4, "gradual": Schedule(start=0.3, rows=200), **FAST}


def weights(model: Any) -> list[Any]:
    return [part.weight.detach().numpy() for part in model.modules() if hasattr(part, "weight")]


def test_the_plans_counts_are_met_with_weights_that_training_chose() -> None:
    model = to_torch(solver())
    held, result = (
        rlc.prune(model, data=labelled(), finetune_epochs=4, recovery="none", **FAST),
        rlc.prune(model, data=labelled(), **GRADUAL),
    )
    assert result.plan == held.plan
    assert tuple(int(mask.sum()) for mask in result.masks) == result.plan.kept
    assert any((mask != other).any() for mask, other in zip(result.masks, held.masks))
    for weight, mask in zip(weights(result.model), result.masks):
        assert not weight[~mask].any()
    assert result.tuned is not None


def test_a_network_keeps_the_masks_that_training_chose() -> None:
    result = rlc.prune(solver(), data=labelled(), **GRADUAL)
    assert result.network is not None
    for layer, mask, weight in zip(result.network.dense_layers(), result.masks, weights(result.model)):
        assert np.array_equal(layer.mask, mask)
        assert np.array_equal(layer.weight * mask, weight)


def test_what_the_models_own_masks_hold_at_zero_stays() -> None:
    model = to_torch(solver())
    gone = torch.zeros_like(model[0].weight, dtype=torch.bool)
    gone[:, :2] = True
    prune.custom_from_mask(model[0], "weight", ~gone)
    result = rlc.prune(model, data=labelled(), **GRADUAL)
    assert not result.model[0].weight[gone].any()
    assert not result.masks[0][gone.numpy()].any()


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    wanted = rlc.prune(to_torch(solver()), data=labelled(), finalists=3, **GRADUAL)
    found = [rlc.prune(to_torch(solver()), data=labelled(), finalists=3, run_dir=tmp_path, **GRADUAL) for _ in range(2)]
    assert all(torch.equal(one.model[0].weight, wanted.model[0].weight) for one in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gradual": Schedule()}, "gradual: a fine-tuning expected"),
        ({"gradual": True, "finetune_epochs": 1}, "gradual: a rlcompress.training.Schedule expected"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        rlc.prune(to_torch(solver()), data=labelled(), **arguments, **FAST)
