"""From the state dict of a Stable-Baselines3 policy to the layers that `predict(deterministic=True)` runs.

Critics, target networks and exploration noise are left out. Where activations sit follows from the keys:
`nn.Sequential` numbers its modules, so linear layers at 0, 2, 4 .. have one activation without parameters between them,
and anything else is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.torch_state import StateDict
from rlcompress.layers import Dense
from rlcompress.layers.activation import DEFAULT_ALPHA, Activation

_POLICY_MODULE = re.compile(r"stable_baselines3\.(common|a2c|ppo|dqn|sac|td3|ddpg)\.policies")
_FLATTEN = "<class 'stable_baselines3.common.torch_layers.FlattenExtractor'>"
_IMITATE = "load it with its own library and make it a dense network by rlcompress.imitate(model, task)"
_ACTIVATION = re.compile(r"<class 'torch\.nn\.modules\.(?:activation|linear)\.(\w+)'>")
_ACTIVATIONS: dict[str, Activation] = {
    "ReLU": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "ELU": "elu",
    "SiLU": "silu",
    "LeakyReLU": "leaky_relu",
    "Identity": "identity",
}
_CLIP_MEAN = 2.0  # default of SAC's policy


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
    output: Literal["argmax", "clip", "squash"]
    mean_clip: float = math.inf


def read_actor(state: StateDict, data: Mapping[str, Any], discrete: bool) -> Actor:
    """The deployed path of the policy in `state`.

    Args:
        state: of `policy.pth`.
        data: plain fields of the zip.
        discrete: whether the action space is Discrete.

    Raises:
        ImportFormatError: keys or shapes that do not belong to the policy class named in `data`.
        UnsupportedError: convolutional, recurrent or custom policies, other algorithms.
    """
    kwargs = _fields(data, "policy_kwargs")
    _refuse_unsupported(state, data, kwargs)
    family = _family(state, data)
    if (family == "dqn" and not discrete) or (family in ("sac", "td3") and discrete):
        raise ImportFormatError(f"{state.name}: a {family} policy does not fit the action space named in 'data'")
    return _READERS[family](state, data, kwargs, discrete)


def _fields(data: Mapping[str, Any], entry: str) -> Mapping[str, Any]:
    value = data.get(entry)
    return value if isinstance(value, dict) else {}


def _refuse_unsupported(state: StateDict, data: Mapping[str, Any], kwargs: Mapping[str, Any]) -> None:
    segments = {segment for key in state.tensors for segment in key.split(".")}
    if any("lstm" in segment for segment in segments):
        raise UnsupportedError(f"{state.name}: a recurrent policy: {_IMITATE}")
    if "quantile_net" in segments:
        raise UnsupportedError(f"{state.name}: a QR-DQN policy: its outputs are quantiles; {_IMITATE}")
    extractors = {segment for segment in segments if re.fullmatch(r"(pi_|vf_)?features_extractor", segment)}
    extractor = kwargs.get("features_extractor_class", _FLATTEN)
    if extractors or extractor != _FLATTEN:
        raise UnsupportedError(
            f"{state.name}: a features extractor with work of its own (a convolutional or custom one); "
            f"only policies that flatten the observation (MlpPolicy) are read; {_IMITATE}"
        )


def _family(state: StateDict, data: Mapping[str, Any]) -> str:
    module = str(_fields(data, "policy_class").get("__module__", ""))
    found = _POLICY_MODULE.fullmatch(module)
    if found is None:
        raise UnsupportedError(
            f"{state.name}: policy class of module {module[:100]!r}: what a custom class computes cannot be known; "
            f"policies of DQN, PPO, A2C, SAC, TD3 and DDPG are read; {_IMITATE}"
        )
    family = {"dqn": "dqn", "sac": "sac", "td3": "td3", "ddpg": "td3"}.get(found[1], "actor_critic")
    if family == "td3" and any(key.startswith("actor.log_std") for key in state.tensors):
        raise UnsupportedError(f"{state.name}: a TD3 policy with state-dependent exploration; train it without")
    return family


def _read_dqn(state: StateDict, data: Mapping[str, Any], kwargs: Mapping[str, Any], discrete: bool) -> Actor:
    layers = _chain(state, "q_net.q_net.", _activation(kwargs, "ReLU", state.name), last_activated=False)
    return Actor(algorithm="dqn", layers=_some(layers, state), output="argmax")


def _read_actor_critic(state: StateDict, data: Mapping[str, Any], kwargs: Mapping[str, Any], discrete: bool) -> Actor:
    activation = _activation(kwargs, "Tanh", state.name)
    shared = _chain(state, "mlp_extractor.shared_net.", activation, last_activated=True)
    own = _chain(state, "mlp_extractor.policy_net.", activation, last_activated=True)
    squash = kwargs.get("squash_output", False)
    if not isinstance(squash, bool) or (squash and data.get("use_sde") is not True):
        raise ImportFormatError(f"{state.name}: squash_output {str(squash)[:50]!r} without use_sde fits no policy")
    output: Literal["argmax", "clip", "squash"] = "argmax" if discrete else "squash" if squash else "clip"
    return Actor(
        algorithm=_actor_critic_name(data),
        layers=(*shared, *own, _linear(state, "action_net.", "identity")),
        output=output,
    )


def _actor_critic_name(data: Mapping[str, Any]) -> str:
    if "clip_range" in data:
        return "ppo"
    return "a2c" if "normalize_advantage" in data and "cg_max_steps" not in data else "actor_critic"


def _read_sac(state: StateDict, data: Mapping[str, Any], kwargs: Mapping[str, Any], discrete: bool) -> Actor:
    latent = _chain(state, "actor.latent_pi.", _activation(kwargs, "ReLU", state.name), last_activated=True)
    if "actor.mu.weight" in state:
        return Actor(algorithm="sac", layers=(*latent, _linear(state, "actor.mu.", "identity")), output="squash")
    # With state-dependent exploration mu is a linear layer followed by a clip of the mean.
    clip = kwargs.get("clip_mean", _CLIP_MEAN)
    if isinstance(clip, bool) or not isinstance(clip, (int, float)) or not 0 < clip < math.inf:
        raise ImportFormatError(f"{state.name}: clip_mean: a number > 0 expected, found {str(clip)[:50]!r}")
    layers = (*latent, _linear(state, "actor.mu.0.", "identity"))
    return Actor(algorithm="sac", layers=layers, output="squash", mean_clip=float(clip))


def _read_td3(state: StateDict, data: Mapping[str, Any], kwargs: Mapping[str, Any], discrete: bool) -> Actor:
    layers = _chain(state, "actor.mu.", _activation(kwargs, "ReLU", state.name), last_activated=False)
    # DDPG is saved as a TD3 policy with one critic.
    single = not any(key.startswith("critic.qf1.") for key in state.tensors)
    return Actor(algorithm="ddpg" if single else "td3", layers=_some(layers, state), output="squash")


_READERS: dict[str, Callable[[StateDict, Mapping[str, Any], Mapping[str, Any], bool], Actor]] = {
    "dqn": _read_dqn,
    "actor_critic": _read_actor_critic,
    "sac": _read_sac,
    "td3": _read_td3,
}


def _activation(kwargs: Mapping[str, Any], default: str, name: str) -> Activation:
    text = kwargs.get("activation_fn")
    found = None if text is None else _ACTIVATION.fullmatch(str(text))
    torch_name = default if text is None else found[1] if found else ""
    if torch_name not in _ACTIVATIONS:
        raise UnsupportedError(
            f"{name}: activation {str(text)[:100]} is not supported; train with one of {', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[torch_name]


def _chain(state: StateDict, prefix: str, activation: Activation, last_activated: bool) -> tuple[Dense, ...]:
    """Linear layers of an `nn.Sequential` with an activation after each (but perhaps the last)."""
    numbers: set[int] = set()
    for key in state.tensors:
        if key.startswith(prefix):
            found = re.fullmatch(r"(\d{1,4})\.(?:weight|bias)", key[len(prefix) :])
            if found is None:
                raise UnsupportedError(
                    f"{state.name}: {key[:100]!r} belongs to no linear layer; only plain MLPs are supported"
                )
            numbers.add(int(found[1]))
    if numbers != set(range(0, 2 * len(numbers), 2)):
        raise UnsupportedError(
            f"{state.name}: {prefix}* has modules with parameters at {sorted(numbers)}, not linear layers at "
            "every second place: only plain MLP policies are supported"
        )
    order = sorted(numbers)
    activations: list[Activation] = [activation] * len(order)
    if order and not last_activated:
        activations[-1] = "identity"
    return tuple(_linear(state, f"{prefix}{number}.", chosen) for number, chosen in zip(order, activations))


def _linear(state: StateDict, prefix: str, activation: Activation) -> Dense:
    weight = state.array(f"{prefix}weight", dimensions=2)
    bias = np.zeros(weight.shape[0], np.float32)
    if f"{prefix}bias" in state:
        bias = state.array(f"{prefix}bias", dimensions=1)
    if bias.shape != weight.shape[:1]:
        raise ImportFormatError(f"{state.name}: {prefix}bias: {weight.shape[0]} values expected, {bias.shape[0]} found")
    return Dense(weight=weight, bias=bias, activation=activation, alpha=DEFAULT_ALPHA.get(activation, 0.0))


def _some(layers: tuple[Dense, ...], state: StateDict) -> tuple[Dense, ...]:
    if not layers:
        raise ImportFormatError(f"{state.name}: no layer of the policy that 'data' names; give a complete file")
    return layers
