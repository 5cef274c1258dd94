from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.engine.events import Note, PhaseStarted, RunFinished, RunStarted
from rlcompress.errors import CheckpointError, InvalidValueError

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

CARTPOLE = rlc.PolicyTask("CartPole-v1")
SHORT = rlc.Imitation(hidden=(12,), rounds=2, visit_steps=1000, train_steps=300)


class Balances:
    """Balances from positions alone: it remembers the last ones."""

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        seen = observation[:, [0, 2]]
        last = seen if state is None else np.where(episode_start[:, None], seen, state)
        push = seen @ [1, 20] + (seen - last) @ [75, 150]
        return (push > 0).astype(np.int64), seen


class Swings:
    """A torque that depends on angle and speed."""

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        return np.clip(observation @ np.array([[-1.0], [0.5], [0.2]]), -2, 2), state


def test_a_memory_becomes_a_network_without_one() -> None:
    said: list[Any] = []
    found = rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=20, on_event=said.append)
    assert found.expert.mean == 500
    assert found.score.mean > 475
    assert found.agreement > 0.6  # on a pole that stands still, either push is right
    assert [layer.out_features for layer in found.network.dense_layers()] == [12, 2]
    assert np.array_equal(found.score.values, CARTPOLE.score(found.network, "final", 0, 20).values)
    assert found.observations >= 2000
    assert (type(said[0]), type(said[-1]), said[-1].reason) == (RunStarted, RunFinished, "done")
    assert "over 20 final episodes" in str(found)


class Stops(Balances):
    """Balances until Ctrl-C is pressed, at a step of the second round."""

    steps = 0

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        self.steps += 1
        if self.steps == 700:
            raise KeyboardInterrupt
        return super().predict(observation, state, episode_start, deterministic)


def test_an_interrupt_ends_the_training_with_what_was_reached() -> None:
    said: list[Any] = []
    found = rlc.imitate(Stops(), CARTPOLE, SHORT, episodes=5, on_event=said.append)
    whole = rlc.imitate(Balances(), CARTPOLE, replace(SHORT, rounds=1), episodes=5)
    assert found.observations == whole.observations
    assert found.score.mean > 100
    assert said[-1].reason == "interrupted"
    (warning,) = (event.text for event in said if isinstance(event, Note) and event.warning)
    assert warning.startswith("interrupted after round 1")
    expert = Stops()
    expert.steps = 690
    with pytest.raises(KeyboardInterrupt):
        rlc.imitate(expert, CARTPOLE, SHORT, episodes=5, on_event=said.append)
    assert said[-1].reason == "failed"


class Fails(Balances):
    """Balances, and fails once, in the second round."""

    steps = 0

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        self.steps += 1
        if self.steps == 700:
            raise OSError("the robot does not answer")
        return super().predict(observation, state, episode_start, deterministic)


def test_a_stopped_imitation_goes_on_behind_its_last_round(tmp_path: Path) -> None:
    file, said = tmp_path / "rounds.bin", list[Any]()
    wanted = rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=5)
    with pytest.raises(OSError, match="does not answer"):
        rlc.imitate(Fails(), CARTPOLE, SHORT, episodes=5, checkpoint=file)
    found = rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=5, checkpoint=file, on_event=said.append)
    assert said[0].resumed
    assert "round 2" in next(event.detail for event in said if isinstance(event, PhaseStarted))
    assert found.network == wanted.network
    assert (found.agreement, found.observations) == (wanted.agreement, wanted.observations)
    again = rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=5, checkpoint=str(file))  # nothing is left to do
    assert again.network == wanted.network


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rounds.bin"
    one = replace(SHORT, rounds=1, train_steps=10)
    rlc.imitate(Balances(), CARTPOLE, one, episodes=1, checkpoint=file)
    with pytest.raises(CheckpointError, match=r"rounds\.bin.*differs in settings, seed"):
        rlc.imitate(Balances(), CARTPOLE, replace(one, hidden=(7,)), episodes=1, seed=3, checkpoint=file)
    with pytest.raises(CheckpointError, match="no folder to write it into"):
        rlc.imitate(Balances(), CARTPOLE, one, episodes=1, checkpoint=tmp_path / "missing" / "rounds.bin")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match=r"rounds\.bin.*damaged.*delete it"):
        rlc.imitate(Balances(), CARTPOLE, one, episodes=1, checkpoint=file)


def test_the_network_is_compressed_like_any_other() -> None:
    found = rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=5)
    small = rlc.compress(found.network, CARTPOLE, rlc.PoPS(), seed=0, max_steps=2, jobs=1)
    assert small.teacher.network == found.network


def test_continuous_actions_are_learnt() -> None:
    task = rlc.PolicyTask("Pendulum-v1")
    found = rlc.imitate(Swings(), task, SHORT, episodes=5)
    assert found.agreement > 0.98
    head = found.network.contract.head
    assert isinstance(head, rlc.Clip)
    assert head.high.tolist() == [2]


def test_a_model_of_stable_baselines3_is_an_expert() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    found = rlc.imitate(sb3.PPO("MlpPolicy", "CartPole-v1", seed=1, device="cpu"), CARTPOLE, SHORT, episodes=5)
    assert found.agreement > 0.8


def test_a_seed_decides_all() -> None:
    first, again, other = (rlc.imitate(Balances(), CARTPOLE, SHORT, episodes=2, seed=seed) for seed in (3, 3, 4))
    assert first.network == again.network
    assert first.network != other.network


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"hidden": (8, 0)}, "hidden: widths >= 1"),
        ({"activation": "gelu"}, "activation: 'relu' or 'tanh'"),
        ({"rounds": 0}, "rounds: a value >= 1"),
        ({"visit_steps": 0}, "visit_steps: a value >= 1"),
        ({"train_steps": -1}, "train_steps: a value >= 1"),
        ({"learning_rate": 0}, "learning_rate: a value > 0"),
        ({"learning_rate": float("nan")}, "learning_rate: a value > 0"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InvalidValueError, match=wanted):
        rlc.Imitation(**settings)


def test_an_expert_has_to_predict() -> None:
    with pytest.raises(InvalidValueError, match=r"expert: an object with predict.*found int"):
        rlc.imitate(3, CARTPOLE)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="episodes >= 1"):
        rlc.imitate(Balances(), CARTPOLE, episodes=0)
