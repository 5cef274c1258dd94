"""Published policies in int8: their returns stay what they were."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("gymnasium")

import rlcompress as rlc


@pytest.mark.parametrize(
    ("file", "env_id", "least"),
    [("dqn/CartPole-v1.zip", "CartPole-v1", 490.0), ("dqn/MountainCar-v0.zip", "MountainCar-v0", -115.0)],
)
def test_a_q_network_in_integers_acts_as_before(agent: Any, file: str, env_id: str, least: float) -> None:
    """Rounded weight by weight, they come to 14 and to -128."""
    network, task = rlc.load_policy(agent(file)), rlc.PolicyTask(env_id)
    observations = task.visit(network, 0, 4000, 0).observations
    assert task.score(rlc.quantise_static(network, observations), "final", 0, 20).mean > least
    assert task.score(rlc.quantise_rows(network, 8, observations), "final", 0, 20).mean > least
