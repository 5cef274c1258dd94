"""The report for programs: one JSON object with every figure. Within a schema fields may be added, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from rlcompress.algorithms.neon.outcome import NEONResult
from rlcompress.engine.result import Candidate, Result
from rlcompress.reporting.front import point_object
from rlcompress.reporting.rows import compression_ratio

SCHEMA = 1


def report_object(result: Result) -> dict[str, Any]:
    """The result as JSON-able values; what is not finite becomes None."""
    best, distilled = result.best_candidate, result.best_without_reward
    found: Any = plain(
        {
            "schema": SCHEMA,
            "algorithm": result.algorithm,
            "task": result.task,
            "seed": result.seed,
            "accepted": result.accepted,
            "teacher": candidate_object(result.teacher),
            "best": _chosen_object(result, best),
            "best_without_reward": _chosen_object(result, distilled),
            "candidates": [candidate_object(candidate) for candidate in result.candidates],
            "notes": list(result.notes),
            "seconds": dict(result.seconds),
            "settings": dict(result.settings),
            "versions": dict(result.versions),
            **_narrowing(result),
        }
    )
    return dict(found)


def _narrowing(result: Result) -> dict[str, Any]:
    """What a run of NEON adds."""
    if not isinstance(result, NEONResult):
        return {}
    front = [point_object(point) for point in result.front]
    return {"ratio": result.ratio, "balanced_drop": result.balanced_drop, "front": front}


def report_json(result: Result) -> str:
    """The result as JSON text."""
    return json.dumps(report_object(result), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def candidate_object(candidate: Candidate) -> dict[str, Any]:
    """One candidate. Single scores are listed for those that were judged on more than the screening split."""
    values = candidate.values
    network = candidate.network
    return {
        "name": candidate.name,
        "role": candidate.role,
        "method": candidate.method,
        "parameters": candidate.parameters,
        "weights_bytes": candidate.weights_bytes,
        "macs": candidate.macs,
        "widths": list(network.widths),
        "bits": [getattr(layer, "bits", 32) for layer in network.layers],
        "latency_us": candidate.latency_us,
        "torch_latency_us": candidate.torch_latency_us,
        "score": {
            "mean": candidate.mean if values.size else None,
            "lower": candidate.interval[0],
            "upper": candidate.interval[1],
            "std": float(values.std(ddof=1)) if values.size > 1 else 0.0,
            "count": int(values.size),
            "split": candidate.judged_on,
            "values": None if candidate.judged_on == "screen" else values,
        },
        "agreement": candidate.agreement,
        "uses_reward": candidate.uses_reward,
        "accepted": candidate.accepted,
        "reason": candidate.reason,
    }


def _chosen_object(result: Result, candidate: Candidate | None) -> dict[str, Any] | None:
    if candidate is None:
        return None
    return {**candidate_object(candidate), "compression_ratio": compression_ratio(result, candidate)}


def plain(value: Any) -> Any:
    """`value` as JSON-able values: arrays become lists, NaN and infinities None, anything unknown its text."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)
