"""Known-good settings for training a teacher, by kind of action and size of observation.

Source: RL Baselines3 Zoo (Raffin 2020), its settings for a typical environment of each kind (CartPole, MountainCar,
LunarLander, Pendulum).
Deviates: constant rates; the steps are only a limit, training stops when the task is solved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlcompress.errors import UnsupportedError


@dataclass(frozen=True)
class Preset:
    """How to train on one kind of environment.

    Args:
        algorithm: class of Stable-Baselines3.
        steps: environment steps at most.
        environments: copies stepped side by side.
        evaluate_every: steps between evaluations.
        settings: keyword arguments of the class.
        hidden: widths of the hidden layers.
    """

    algorithm: Literal["DQN", "PPO", "SAC"]
    steps: int
    environments: int = 1
    evaluate_every: int = 2_500
    settings: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[int, ...] = (64, 64)


_PPO_SMALL = Preset(
    "PPO",
    100_000,
    environments=8,
    settings={
        "learning_rate": 1e-3,
        "n_steps": 32,
        "batch_size": 256,
        "n_epochs": 20,
        "gamma": 0.98,
        "gae_lambda": 0.8,
        "clip_range": 0.2,
    },
)
_DQN_SPARSE = Preset(
    "DQN",
    120_000,
    settings={
        "learning_rate": 4e-3,
        "batch_size": 128,
        "buffer_size": 10_000,
        "learning_starts": 1_000,
        "gamma": 0.98,
        "target_update_interval": 600,
        "train_freq": 16,
        "gradient_steps": 8,
        "exploration_fraction": 0.2,
        "exploration_final_eps": 0.07,
    },
    hidden=(256, 256),
)
_DQN = Preset(
    "DQN",
    150_000,
    evaluate_every=5_000,
    settings={
        "learning_rate": 6.3e-4,
        "batch_size": 128,
        "buffer_size": 50_000,
        "learning_starts": 1_000,
        "gamma": 0.99,
        "target_update_interval": 250,
        "train_freq": 4,
        "gradient_steps": -1,
        "exploration_fraction": 0.12,
        "exploration_final_eps": 0.1,
    },
    hidden=(256, 256),
)
_SAC_SMALL = Preset("SAC", 10_000, evaluate_every=500, settings={"learning_rate": 1e-3, "learning_starts": 500})
_SAC_SPARSE = Preset(
    "SAC",
    50_000,
    settings={
        "learning_rate": 3e-4,
        "batch_size": 512,
        "train_freq": 32,
        "gradient_steps": 32,
        "gamma": 0.9999,
        "tau": 0.01,
        "ent_coef": 0.1,
        "use_sde": True,
    },
)
_SAC = Preset(
    "SAC",
    300_000,
    evaluate_every=5_000,
    settings={"learning_rate": 7.3e-4, "batch_size": 256, "learning_starts": 5_000, "tau": 0.01},
    hidden=(256, 256),
)

SMALL_INPUTS = 6
PRESETS: dict[tuple[str, str], tuple[Preset, ...]] = {
    ("discrete", "small"): (_PPO_SMALL, _DQN_SPARSE),
    ("discrete", "large"): (_DQN,),
    ("continuous", "small"): (_SAC_SMALL, _SAC_SPARSE),
    ("continuous", "large"): (_SAC,),
}
"""By kind of action and size of observation (small: at most `SMALL_INPUTS` values), in the order to try."""


def presets_for(env: Any) -> tuple[Preset, ...]:
    """The presets to try in turn for an environment's spaces.

    Raises:
        UnsupportedError: image or structured observations, or actions other than Discrete and Box.
    """
    observation, action = env.observation_space, env.action_space
    advice = "train a teacher with Stable-Baselines3 and give it with --policy"
    if type(observation).__name__ != "Box" or len(observation.shape) != 1:
        raise UnsupportedError(f"teacher: flat Box observations are supported, found {observation}; {advice}")
    kind = {"Discrete": "discrete", "Box": "continuous"}.get(type(action).__name__)
    if kind is None:
        raise UnsupportedError(f"teacher: Discrete or Box actions are supported, found {action}; {advice}")
    return PRESETS[kind, "small" if observation.shape[0] <= SMALL_INPUTS else "large"]
