from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlcompress.errors import StatisticsWarning
from rlcompress.importers import load_policy
from rlcompress.importers.statistics_hints import statistics_hint

LISTED = (
    "!!python/object/apply:collections.OrderedDict\n- - - n_steps\n    - 32\n  - - normalize\n    - {}\n  - - policy\n"
)


def hint(path: Path, data: dict[str, Any] | None = None, on_policy: bool = True) -> str | None:
    return statistics_hint(path, data or {}, on_policy)


@pytest.mark.parametrize(
    ("zip_name", "beside"),
    [
        ("CartPole-v1.zip", "CartPole-v1.vecnormalize.pkl"),
        ("CartPole-v1.zip", "CartPole-v1_vec_normalize.pkl"),
        ("CartPole-v1.zip", "vecnormalize.pkl"),
        ("CartPole-v1.zip", "CartPole-v1/vecnormalize.pkl"),
        ("rl_model_1000_steps.zip", "rl_model_vecnormalize_1000_steps.pkl"),
        ("best_model.zip", "VecNormalize.pkl"),
    ],
)
def test_statistics_file_beside_the_zip(zip_name: str, beside: str, tmp_path: Path) -> None:
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_bytes(b"")
    assert str(tmp_path / beside) in str(hint(tmp_path / zip_name))


@pytest.mark.parametrize(
    "beside", ["CartPole-v1x.vecnormalize.pkl", "Other.vecnormalize.pkl", "replay_buffer.pkl", "vecnormalize.txt"]
)
def test_files_of_other_agents_do_not_count(beside: str, tmp_path: Path) -> None:
    (tmp_path / beside).write_bytes(b"")
    assert hint(tmp_path / "CartPole-v1.zip") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LISTED.format("true"), True),
        (LISTED.format('"dict(norm_obs=True, norm_reward=False)"'), True),
        (LISTED.format("false"), False),
        (LISTED.format("\"{'norm_obs': False, 'norm_reward': True}\""), False),
        ("policy: MlpPolicy\nnormalize: true\n", True),
        ("normalize: dict(norm_obs=False)\n", False),
        ("policy: MlpPolicy\nnormalize_images: true\n", False),
        ("", False),
    ],
)
def test_configuration_beside_the_zip(text: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "agent.config.yml").write_text(text)
    found = hint(tmp_path / "agent.zip")
    assert (found is not None) == expected
    assert found is None or "agent.config.yml" in found


def test_configuration_that_leaves_observations_alone_settles_it(tmp_path: Path) -> None:
    (tmp_path / "agent.config.yml").write_text("normalize: dict(norm_obs=False)")
    (tmp_path / "vecnormalize.pkl").write_bytes(b"")
    assert hint(tmp_path / "agent.zip", {"_last_original_obs": {":type:": "x"}}) is None


def test_traces_in_the_zip(tmp_path: Path) -> None:
    original = {"_last_original_obs": {":type:": "<class 'numpy.ndarray'>"}}
    assert "VecNormalize" in str(hint(tmp_path / "a.zip", original))
    assert hint(tmp_path / "a.zip", original, on_policy=False) is None  # these save it always
    assert "VecNormalize" in str(hint(tmp_path / "a.zip", {"_vec_normalize_env": {}}, on_policy=False))
    assert hint(tmp_path / "a.zip", {"_last_original_obs": None, "_vec_normalize_env": None}) is None


def test_warning_names_file_and_remedy(rebuild: Callable[..., Path]) -> None:
    path = rebuild(data=lambda d: d.update(_last_original_obs={":type:": "<class 'numpy.ndarray'>"}))
    with pytest.warns(StatisticsWarning, match=r"edited\.zip.*--vecnormalize") as caught:
        load_policy(path)
    assert caught[0].filename == __file__  # points at the caller
    load_policy(
        path, observation_stats={"mean": [0, 0, 0], "var": [1, 1, 1]}
    )  # given: no warning, which would be an error


def test_agent_trained_behind_vecnormalize(tmp_path: Path) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    sb3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    for normalised in (False, True):
        env: Any = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")])
        model = sb3.A2C("MlpPolicy", VecNormalize(env) if normalised else env, n_steps=5, device="cpu")
        model.learn(5).save(tmp_path / f"{normalised}.zip")
    load_policy(tmp_path / "False.zip")
    with pytest.warns(StatisticsWarning, match="trained behind VecNormalize"):
        load_policy(tmp_path / "True.zip")
