"""From the state dict of a Stable-Baselines3 policy to the layers that `predict(deterministic=True)` runs.

Critics, target networks and exploration noise are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.sb3_batch_renorm import is_normed, normed_chain
from rlcompress.importers.sb3_layers import activation_of, linear, linear_chain
from rlcompress.importers.torch_state import StateDict
from rlcompress.layers import Dense

_POLICY_MODULE = re.compile(
    r"(?:stable_baselines3\.(common|a2c|ppo|dqn|sac|td3|ddpg)|sb3_contrib\.(qrdqn|tqc|ars|crossq))\.policies"
)
_FLATTEN = "<class 'stable_baselines3.common.torch_layers.FlattenExtractor'>"
_IMITATE = "load it with its own library and make it a dense network by rlcompress.imitate(model, task)"
_READ = "DQN, PPO, A2C, SAC, TD3, DDPG, TRPO, TQC, CrossQ, QR-DQN and ARS"
_FAMILIES = {name: name for name in ("dqn", "sac", "td3", "qrdqn", "ars")} | {
    "ddpg": "td3",
    "tqc": "sac",
    "crossq": "sac",
}
_DISCRETE, _CONTINUOUS = ("dqn", "qrdqn"), ("sac", "td3")
_CLIP_MEAN, _NORM_EPS = 2.0, 1e-3  # defaults of SAC's, TQC's and CrossQ's policies

Output = Literal["argmax", "clip", "squash"]


@dataclass(frozen=True)
class Actor:
    """The deployed path of a policy.

    Args:
        algorithm: lower-case name.
        layers: from the flattened observation to the outputs before the head.
        output: how outputs become actions: index of the largest, clipped to the range, or tanh onto the range.
        mean_clip: outputs are clipped to +-this before tanh.
    """

    algorithm: str
    layers: tuple[Dense, ...]
    output: Output
    mean_clip: float = math.inf


@dataclass(frozen=True)
class Saved:
    """What a zip says of its policy.

    Args:
        state: of `policy.pth`.
        data: plain fields of the zip.
        choices: actions of a Discrete action space, or None for another.
    """

    state: StateDict
    data: Mapping[str, Any]
    choices: int | None

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Those of the policy's class."""
        return self._fields("policy_kwargs")

    @property
    def policy_class(self) -> Mapping[str, Any]:
        return self._fields("policy_class")

    @property
    def module(self) -> str:
        """Of the policy's class."""
        return str(self.policy_class.get("__module__", ""))

    def chain(self, prefix: str, default: str, last_activated: bool) -> tuple[Dense, ...]:
        """Linear layers with these keys, of the activation of `policy_kwargs` or the default."""
        activation = activation_of(self.kwargs, default, self.state.name)
        return linear_chain(self.state, prefix, activation, last_activated)

    def outputs(self, prefix: str) -> tuple[Dense, ...]:
        """All layers of a policy, of which the last has no activation.

        Raises:
            ImportFormatError: there is none.
        """
        layers = self.chain(prefix, "ReLU", last_activated=False)
        if not layers:
            raise ImportFormatError(
                f"{self.state.name}: no layer of the policy that 'data' names; give a complete file"
            )
        return layers

    def positive(self, name: str, default: float) -> float:
        """A number of `policy_kwargs`.

        Raises:
            ImportFormatError: it is none above 0.
        """
        value = self.kwargs.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ImportFormatError(f"{self.state.name}: {name}: a number > 0 expected, found {str(value)[:50]!r}")
        return float(value)

    def _fields(self, entry: str) -> Mapping[str, Any]:
        value = self.data.get(entry)
        return value if isinstance(value, dict) else {}


def read_actor(saved: Saved) -> Actor:
    """The deployed path of a policy.

    Raises:
        ImportFormatError: keys or shapes that do not belong to the policy class named in `data`.
        UnsupportedError: convolutional, recurrent or custom policies, other algorithms.
    """
    _refuse_unsupported(saved)
    family = _family(saved)
    if (family in _DISCRETE and saved.choices is None) or (family in _CONTINUOUS and saved.choices is not None):
        raise ImportFormatError(f"{saved.state.name}: a {family} policy does not fit the action space named in 'data'")
    return _READERS[family](saved)


def _refuse_unsupported(saved: Saved) -> None:
    name = saved.state.name
    segments = {segment for key in saved.state.tensors for segment in key.split(".")}
    if any("lstm" in segment for segment in segments):
        raise UnsupportedError(f"{name}: a recurrent policy: {_IMITATE}")
    if saved.module == "sb3_contrib.common.maskable.policies":
        raise UnsupportedError(f"{name}: its actions depend on a mask that no observation holds; {_IMITATE}")
    extractors = {segment for segment in segments if re.fullmatch(r"(pi_|vf_)?features_extractor", segment)}
    extractor = saved.kwargs.get("features_extractor_class", _FLATTEN)
    if extractors or extractor != _FLATTEN:
        raise UnsupportedError(
            f"{name}: a features extractor with work of its own (a convolutional or custom one); "
            f"only policies that flatten the observation (MlpPolicy) are read; {_IMITATE}"
        )


def _family(saved: Saved) -> str:
    state = saved.state
    found = _POLICY_MODULE.fullmatch(saved.module)
    if found is None:
        raise UnsupportedError(
            f"{state.name}: policy class of module {saved.module[:100]!r}: what a custom class computes cannot be "
            f"known; policies of {_READ} are read; {_IMITATE}"
        )
    family = _FAMILIES.get(found[1] or found[2], "actor_critic")
    if family == "td3" and any(key.startswith("actor.log_std") for key in state.tensors):
        raise UnsupportedError(f"{state.name}: a TD3 policy with state-dependent exploration; train it without")
    return family


def _read_dqn(saved: Saved) -> Actor:
    return Actor(algorithm="dqn", layers=saved.outputs("q_net.q_net."), output="argmax")


def _read_qrdqn(saved: Saved) -> Actor:
    """Its Q-values are means of quantiles: a mean of linear outputs is a linear output."""
    *hidden, last = saved.outputs("quantile_net.quantile_net.")
    actions = saved.choices or 1
    if last.out_features % actions:
        raise ImportFormatError(
            f"{saved.state.name}: {last.out_features} quantiles are not the same number for each of {actions} actions"
        )
    weight = last.weight.reshape(-1, actions, last.in_features).mean(0, dtype=np.float64)
    bias = last.bias.reshape(-1, actions).mean(0, dtype=np.float64)
    return Actor(algorithm="qrdqn", layers=(*hidden, replace(last, weight=weight, bias=bias)), output="argmax")


def _read_actor_critic(saved: Saved) -> Actor:
    shared = saved.chain("mlp_extractor.shared_net.", "Tanh", last_activated=True)
    own = saved.chain("mlp_extractor.policy_net.", "Tanh", last_activated=True)
    squash = saved.kwargs.get("squash_output", False)
    if not isinstance(squash, bool) or (squash and saved.data.get("use_sde") is not True):
        raise ImportFormatError(
            f"{saved.state.name}: squash_output {str(squash)[:50]!r} without use_sde fits no policy"
        )
    return Actor(
        algorithm=_actor_critic_name(saved.data),
        layers=(*shared, *own, linear(saved.state, "action_net.", "identity")),
        output=_output(saved, squash),
    )


def _actor_critic_name(data: Mapping[str, Any]) -> str:
    if "clip_range" in data:
        return "ppo"
    if "cg_max_steps" in data:
        return "trpo"
    return "a2c" if "normalize_advantage" in data else "actor_critic"


def _output(saved: Saved, squash: bool) -> Output:
    if saved.choices is not None:
        return "argmax"
    return "squash" if squash else "clip"


def _read_sac(saved: Saved) -> Actor:
    # With state-dependent exploration mu is a linear layer followed by a clip of the mean.
    clips = "actor.mu.weight" not in saved.state
    mean = linear(saved.state, "actor.mu.0." if clips else "actor.mu.", "identity")
    return Actor(
        algorithm=saved.module.split(".")[1],
        layers=_latent_and(mean, saved),
        output="squash",
        mean_clip=saved.positive("clip_mean", _CLIP_MEAN) if clips else math.inf,
    )


def _latent_and(mean: Dense, saved: Saved) -> tuple[Dense, ...]:
    """The hidden layers of SAC, TQC and CrossQ, which normalises before each layer, and the one behind them."""
    prefix = "actor.latent_pi."
    if not is_normed(saved.state, prefix):
        return (*saved.chain(prefix, "ReLU", last_activated=True), mean)
    eps = saved.positive("batch_norm_eps", _NORM_EPS)
    return normed_chain(saved.state, prefix, activation_of(saved.kwargs, "ReLU", saved.state.name), eps, mean)


def _read_td3(saved: Saved) -> Actor:
    # DDPG is saved as a TD3 policy with one critic.
    single = not any(key.startswith("critic.qf1.") for key in saved.state.tensors)
    return Actor(algorithm="ddpg" if single else "td3", layers=saved.outputs("actor.mu."), output="squash")


def _read_ars(saved: Saved) -> Actor:
    """Clipped by default where it is linear, else behind a tanh."""
    is_linear = "ARSLinearPolicy" in str(saved.policy_class.get("__init__", ""))
    squash = saved.kwargs.get("squash_output", not is_linear)
    if not isinstance(squash, bool):
        raise ImportFormatError(
            f"{saved.state.name}: squash_output: true or false expected, found {str(squash)[:50]!r}"
        )
    return Actor(algorithm="ars", layers=saved.outputs("action_net."), output=_output(saved, squash))


_READERS: dict[str, Callable[[Saved], Actor]] = {
    "dqn": _read_dqn,
    "qrdqn": _read_qrdqn,
    "actor_critic": _read_actor_critic,
    "sac": _read_sac,
    "td3": _read_td3,
    "ars": _read_ars,
}
