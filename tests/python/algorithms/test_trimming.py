from __future__ import annotations

import numpy as np
import pytest

from balancing import linear
from rlcompress.algorithms.pops.state import State, Trial
from rlcompress.algorithms.pops.trimming import at_the_ceiling, least_salient
from rlcompress.training.labels import Labels


def trial(values: list[float], accepted: bool = True) -> Trial:
    return Trial(
        name="one",
        method="distilled",
        network=linear(),
        weights_bytes=40,
        uses_reward=False,
        rule="unpaired",
        values=np.array(values),
        lower=0.0,
        upper=0.0,
        accepted=accepted,
        reason="passed",
        final=np.zeros(0),
    )


def state(*trials: Trial, spread: tuple[float, ...] = (1, 1, 1, 1)) -> State:
    observations = np.array([spread, [-value for value in spread]], np.float32)
    base = Labels(observations, np.zeros((2, 2), np.float32))
    return State("trim", 100.0, np.ones(3), np.zeros(0), base, trials=trials)


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ([500, 500], [500, 500], True),
        ([500, 500], [500, 499], False),
        ([500, 499], [500, 490], True),
    ],
)
def test_a_ceiling_that_every_episode_reached_is_kept(before: list[float], after: list[float], kept: bool) -> None:
    found = at_the_ceiling(state(trial(before), trial(after)), trial(before))
    assert found.trials[-1].accepted == kept
    assert found.trials[0].accepted
    assert ("missed" in found.trials[-1].reason) == (not kept)


def test_a_rejection_stays_one() -> None:
    one = state(trial([500, 500], accepted=False))
    assert at_the_ceiling(one, trial([500, 500])) is one


def test_inputs_that_move_the_network_least_come_first() -> None:
    quiet = least_salient(linear(), state(spread=(1e-3, 1, 1e-2, 1)))
    weights = np.abs(linear().dense_layers()[0].weight).sum(0) * np.array([1e-3, 1, 1e-2, 1])
    assert quiet == np.argsort(weights, kind="stable").tolist()
