"""A model of 25.6 million weights.

Margins are wide, for the machine may be busy: the aims are 5 s to build and 0.5 s for the thresholds.
"""

from __future__ import annotations

import importlib
import time
import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")

import rlcompress as rlc  # noqa: E402
from rlcompress.layerwise.thresholds import alpha_counts  # noqa: E402
from torch_models import seeded  # noqa: E402

LOOPS = Path(__file__).resolve().parents[3] / "benchmarks" / "loops"


def test_a_resnet_50_is_taken_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LOOPS))
    model = seeded(importlib.import_module("resnet_50").resnet50)
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_557_032
    start = time.process_time()
    env = rlc.PruningEnv(model, lambda _: 0.5, example_inputs=torch.zeros(1, 3, 64, 64), target_sparsity=0.8)
    assert time.process_time() - start < 20
    assert len(env.prunable.layers) == 54
    weights = [layer.weight for layer in env.prunable.layers]
    tracemalloc.start()
    start = time.process_time()
    counts = alpha_counts(weights)
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 5
    assert peak < sum(weight.nbytes for weight in weights)
    raised = env.counts != counts
    assert (env.counts[raised] > counts[raised]).all()  # by the floor
