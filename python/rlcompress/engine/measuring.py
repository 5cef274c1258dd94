"""A network and its scores made a `Candidate`: sizes, interval and latency measured in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rlcompress.artifact import weights_bytes
from rlcompress.engine.result import Candidate, Role
from rlcompress.latency import call_latencies_us, call_latency_us
from rlcompress.network import Network
from rlcompress.problem import Float64Array
from rlcompress.runtime import Runtime
from rlcompress.statistics import bootstrap_interval


def measured(
    name: str,
    role: Role,
    method: str,
    network: Network,
    values: Float64Array,
    judged_on: str,
    *,
    accepted: bool | None = None,
    reason: str = "",
    agreement: float | None = None,
    uses_reward: bool = False,
    observation: Any = None,
    timed: bool = True,
) -> Candidate:
    """A candidate with its stored bytes, parameters, multiply-accumulates, interval of the mean, and latency.

    Args:
        name, role, method, network, values, judged_on, accepted, reason, agreement, uses_reward: as of `Candidate`;
            where values are not finite, neither is their interval.
        observation: that inferences are timed with, of the contract's shape; default: zeros.
        timed: whether to time an inference.
    """
    interval = bootstrap_interval(values) if np.isfinite(values).all() else (float("nan"), float("nan"))
    return Candidate(
        name=name,
        role=role,
        method=method,
        network=network,
        weights_bytes=weights_bytes(network),
        parameters=network.parameter_count,
        macs=network.macs,
        values=values,
        interval=interval,
        judged_on=judged_on,
        accepted=accepted,
        reason=reason,
        agreement=agreement,
        uses_reward=uses_reward,
        latency_us=inference_us(network, observation) if timed else None,
    )


def inference_us(network: Network, observation: Any = None) -> float:
    """Measured microseconds of one inference in the runtime, with this observation or zeros."""
    return call_latency_us(_inference(network, observation))


def inferences_us(networks: Sequence[Network], rounds: int = 60) -> list[float]:
    """Microseconds of one inference of each network with zeros, to be compared: timed in turns, the least of batches.

    Args:
        networks: what to time.
        rounds: batches of each, >= 1.
    """
    return call_latencies_us([_inference(network) for network in networks], rounds)


def _inference(network: Network, observation: Any = None) -> Callable[[], object]:
    runtime, shape = Runtime(network), network.contract.observation_shape
    given = np.zeros(shape, np.float32) if observation is None else np.array(observation).reshape(shape)
    return lambda: runtime(given)
