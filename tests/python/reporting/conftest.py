"""Results as a run would give them, made by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract
from rlcompress.engine.result import Candidate, Result
from rlcompress.layers import Dense
from rlcompress.network import Network


def network(*hidden: int) -> Network:
    rng = np.random.default_rng(sum(hidden))
    widths = (8, *hidden, 4)
    layers = [Dense(rng.standard_normal((b, a)), np.zeros(b), "relu") for a, b in pairwise(widths)]
    return Network(tuple(layers), Contract((8,), Argmax()))


def candidate(
    name: str, role: str, method: str, size: int, mean: float, split: str, accepted: bool | None
) -> Candidate:
    made = network(max(1, size // 16))
    return Candidate(
        name=name,
        role=role,  # type: ignore[arg-type]
        method=method,
        network=made,
        weights_bytes=size,
        parameters=made.parameter_count,
        macs=made.macs,
        values=mean + np.array([-1.0, 0.0, 1.0]),
        interval=(mean - 1, mean + 1),
        judged_on=split,
        accepted=accepted,
        reason="" if accepted is None else "lower bound above 240.0" if accepted else "lower bound below 240.0",
    )


@pytest.fixture
def teacher() -> Candidate:
    return replace(candidate("teacher", "teacher", "teacher", 40_000, 250, "final", None), torch_latency_us=55.5)


@pytest.fixture
def result(teacher: Candidate) -> Result:
    """Two accepted networks, a baseline, the paper's preset, ten rejected and sixty screened candidates."""
    polished = candidate("8-4 int4", "candidate", "polished", 18, 255, "final", True)
    polished = replace(polished, uses_reward=True, latency_us=0.25, agreement=0.875)
    distilled = candidate("8-2-4 [relu]", "candidate", "distilled", 128, 249, "final", True)
    rejected = [candidate(f"rejected {i}", "candidate", "distilled", 40 + i, 100, "accept", False) for i in range(10)]
    screened = [
        candidate(f"screened {i}", "candidate", "distilled", 20 + i, 10.0 + i, "screen", None) for i in range(60)
    ]
    others = [
        candidate("one-shot 90 %", "baseline", "one-shot pruning", 4_000, -80, "final", False),
        candidate("PoPS as published", "paper", "paper", 5_000, 200, "final", False),
    ]
    return Result(
        algorithm="pops",
        task="LunarLander-v3",
        seed=7,
        teacher=teacher,
        best_candidate=polished,
        best_without_reward=distilled,
        candidates=(*screened, *rejected, distilled, *others, polished),
        notes=("the target of 16 bytes was not reached",),
        seconds={"distil": 12.5, "polish": 100.0},
        settings={"algorithm": {"keep_return": 0.98, "limit": float("inf")}, "task": {"env_id": "LunarLander-v3"}},
        versions={"rlcompress": "0.1.0"},
    )


@pytest.fixture
def rejected_result(result: Result) -> Result:
    """Nothing was accepted."""
    kept = tuple(one for one in result.candidates if not one.accepted)
    return replace(result, best_candidate=None, best_without_reward=None, candidates=kept)
