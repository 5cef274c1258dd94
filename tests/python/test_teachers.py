from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rlcompress import teachers
from rlcompress.engine.events import Event, Note, PhaseStarted, Progress
from rlcompress.errors import CheckpointError, InvalidValueError, UnsupportedError
from rlcompress.importers import load_policy
from rlcompress.runtime import Runtime
from rlcompress.tasks.episodes import Environment
from rlcompress.tasks.policy import SEED_BASE
from rlcompress.teacher_presets import PRESETS, presets_for
from rlcompress.teachers import record_path, stored_teacher, train_teacher

pytest.importorskip("stable_baselines3")
torch = pytest.importorskip("torch")
ENV = "CartPole-v1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    path = tmp_path_factory.mktemp("teacher") / "teacher.zip"
    events: list[Event] = []
    train_teacher(ENV, path, 3, events.append, max_steps=12_000)
    return path, events


def test_it_learns_and_the_stored_policy_is_what_was_scored(trained: tuple[Path, list[Event]]) -> None:
    path, _ = trained
    record = stored_teacher(path, ENV, 3)
    assert record is not None
    assert record.mean > 150  # a random policy earns 22
    assert record.steps <= 12_000 + 256
    runtime = Runtime(load_policy(path))
    values = teachers._returns(Environment(ENV), runtime.predict, teachers.EVALUATION_SEED, record.episodes)
    assert values.mean() == pytest.approx(record.mean, rel=0.02)  # canonical arithmetic may turn a near-tie


def test_it_tells_its_progress(trained: tuple[Path, list[Event]]) -> None:
    _, events = trained
    assert isinstance(events[0], PhaseStarted)
    shares = [event.fraction for event in events if isinstance(event, Progress)]
    assert len(shares) >= 4
    assert shares == sorted(shares)
    assert any(isinstance(event, Note) and event.text.startswith("teacher: PPO") for event in events)


def test_same_seed_same_policy(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_teacher(ENV, tmp_path / f"{name}.zip", seed, lambda _: None, max_steps=600)
        found.append(load_policy(tmp_path / f"{name}.zip"))
    assert found[0] == found[1] != found[2]


def test_threads_are_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    train_teacher(ENV, tmp_path / "teacher.zip", 0, lambda _: None, max_steps=300)
    assert torch.get_num_threads() == before


def test_time_budget_keeps_what_there_is(tmp_path: Path) -> None:
    events: list[Event] = []
    record = train_teacher(ENV, tmp_path / "teacher.zip", 0, events.append, max_seconds=1e-9)
    assert record.solved is False
    texts = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert any("cut short" in text for text in texts)
    assert any("threshold" in text for text in texts)


def test_a_teacher_of_another_run_or_a_changed_one_is_refused(
    trained: tuple[Path, list[Event]], tmp_path: Path
) -> None:
    assert stored_teacher(tmp_path / "teacher.zip", ENV, 3) is None
    path = tmp_path / "teacher.zip"
    path.write_bytes(trained[0].read_bytes())
    assert stored_teacher(path, ENV, 3) is None  # killed before the record was written: train again
    record_path(path).write_bytes(record_path(trained[0]).read_bytes())
    assert stored_teacher(path, ENV, 3) is not None
    with pytest.raises(CheckpointError, match="with seed 3, not CartPole-v1 with seed 4"):
        stored_teacher(path, ENV, 4)
    with pytest.raises(CheckpointError, match=r'not CartPole-v1 \{"max_episode_steps": 9\} with seed 3'):
        stored_teacher(path, ENV, 3, {"max_episode_steps": 9})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="digest"):
        stored_teacher(path, ENV, 3)
    record_path(path).write_text(json.dumps({"env_id": ENV}))
    with pytest.raises(CheckpointError, match="not a teacher record"):
        stored_teacher(path, ENV, 3)


@pytest.mark.parametrize(("seed", "steps"), [(-1, None), (0, 0)])
def test_bad_settings(tmp_path: Path, seed: int, steps: int | None) -> None:
    with pytest.raises(InvalidValueError):
        train_teacher(ENV, tmp_path / "teacher.zip", seed, lambda _: None, max_steps=steps)


@pytest.mark.parametrize(
    ("inputs", "discrete", "first"), [(4, True, "PPO"), (6, False, "SAC"), (8, True, "DQN"), (24, False, "SAC")]
)
def test_every_kind_of_space_has_presets(inputs: int, discrete: bool, first: str) -> None:
    spaces = pytest.importorskip("gymnasium").spaces
    action = spaces.Discrete(2) if discrete else spaces.Box(-1, 1, (2,))
    env: Any = SimpleNamespace(observation_space=spaces.Box(-1, 1, (inputs,)), action_space=action)
    assert presets_for(env)[0].algorithm == first


def test_presets_are_settings_that_the_classes_take() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    for (action, _), presets in PRESETS.items():
        env_id = "CartPole-v1" if action == "discrete" else "Pendulum-v1"
        for preset in presets:
            model = teachers._model(Environment(env_id), preset, 0)
            assert isinstance(model, getattr(sb3, preset.algorithm))
            model.get_env().close()


def test_spaces_without_preset_are_refused_with_a_remedy() -> None:
    spaces = pytest.importorskip("gymnasium").spaces
    image, flat = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Box(-1, 1, (3,))
    for observation, action in ((image, spaces.Discrete(2)), (flat, spaces.MultiDiscrete([2, 2]))):
        env: Any = SimpleNamespace(observation_space=observation, action_space=action)
        with pytest.raises(UnsupportedError, match="--policy"):
            presets_for(env)


def test_episodes_of_training_and_evaluation_are_outside_every_pool() -> None:
    assert min(teachers.TRAINING_SEED, teachers.EVALUATION_SEED) > max(SEED_BASE.values()) + 10_000_000
