from __future__ import annotations

import numpy as np

import rlcompress as rlc
from rlcompress.artifact import weights_bytes
from rlcompress.engine.measuring import inferences_us, measured


def test_a_candidate_has_sizes_interval_and_latency() -> None:
    network = rlc.Network((rlc.Dense(np.ones((3, 2)), np.zeros(3)),), rlc.Contract((2,), rlc.Argmax()))
    values = np.arange(20) % 2 * 1.0
    found = measured("a", "candidate", "made", network, values, "final", accepted=True, reason="why")
    assert (found.parameters, found.macs, found.weights_bytes) == (9, 6, weights_bytes(network))
    assert found.interval[0] < found.mean == 0.5 < found.interval[1]
    assert found.latency_us is not None
    assert found.latency_us > 0
    screened = measured("a", "candidate", "made", network, np.array([np.nan]), "screen", timed=False)
    assert screened.latency_us is None
    assert np.isnan(screened.interval).all()


def test_networks_are_timed_in_turns() -> None:
    small, large = (
        rlc.Network((rlc.Dense(np.ones((size, size)), np.zeros(size)),), rlc.Contract((size,))) for size in (2, 1000)
    )
    quick, slow = inferences_us([small, large], rounds=5)
    assert 0 < quick < slow
