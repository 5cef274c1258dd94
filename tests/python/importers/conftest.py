"""Builders of Stable-Baselines3 zips and an independent forward pass for the tests of this folder."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Raw, Squash
from rlcompress.network import Network

ACTIVATIONS: dict[str, Callable[[Any, float], Any]] = {
    "identity": lambda y, _: y,
    "relu": lambda y, _: np.maximum(y, 0),
    "tanh": lambda y, _: np.tanh(y),
    "sigmoid": lambda y, _: 1 / (1 + np.exp(-y)),
    "elu": lambda y, a: np.where(y > 0, y, a * np.expm1(y)),
    "silu": lambda y, _: y / (1 + np.exp(-y)),
    "gelu": lambda y, _: 0.5 * y * (1 + np.tanh(0.7978845608028654 * (y + 0.044715 * y**3))),
    "leaky_relu": lambda y, a: np.where(y > 0, y, a * y),
}


@pytest.fixture(scope="session")
def outputs() -> Callable[[Network, Any], Any]:
    """(network, observations) -> outputs before the head, in float64."""

    def run(network: Network, observations: Any) -> Any:
        x = np.asarray(observations, np.float64).reshape(len(observations), -1)
        if (n := network.contract.normalisation) is not None:
            x = np.clip((x - n.mean) / n.scale, -n.clip, n.clip)
        for layer in network.dense_layers():
            x = ACTIVATIONS[layer.activation](x @ layer.weight.T.astype(np.float64) + layer.bias, layer.alpha)
        return x

    return run


@pytest.fixture(scope="session")
def act(outputs: Callable[[Network, Any], Any]) -> Callable[[Network, Any], Any]:
    """(network, observations) -> actions."""

    def run(network: Network, observations: Any) -> Any:
        y, head = outputs(network, observations), network.contract.head
        if isinstance(head, Argmax):
            return y.argmax(axis=1) + head.start
        if isinstance(head, Raw):
            return y
        clipped = np.clip(y, head.low, head.high)
        return head.scale * (np.tanh(clipped) if isinstance(head, Squash) else clipped) + head.offset

    return run


CONTRIBUTED = ("TRPO", "TQC", "CrossQ", "QRDQN", "ARS", "MaskablePPO", "RecurrentPPO")
OFF_POLICY = ("DQN", "SAC", "TD3", "DDPG", "TQC", "CrossQ", "QRDQN")


def make_model(algorithm: str, observation: Any, action: Any, policy: str = "MlpPolicy", **settings: Any) -> Any:
    """An untrained model of Stable-Baselines3 or sb3-contrib on given spaces; `net_arch` small unless given."""
    library = pytest.importorskip("sb3_contrib" if algorithm in CONTRIBUTED else "stable_baselines3")
    import gymnasium

    class Spaces(gymnasium.Env):  # type: ignore[type-arg]
        observation_space = observation
        action_space = action

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return observation.sample(), {}

        def step(self, action: Any) -> Any:
            return observation.sample(), 0.0, False, False, {}

    if policy != "LinearPolicy":
        settings["policy_kwargs"] = {"net_arch": [8, 6], **settings.get("policy_kwargs", {})}
    if algorithm in OFF_POLICY:
        settings.setdefault("buffer_size", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(library, algorithm)(policy, Spaces(), seed=1, device="cpu", **settings)


@pytest.fixture
def sb3_model(tmp_path: Path) -> Callable[..., tuple[Any, Path]]:
    """`sb3_model(algorithm, observation_space, action_space, **settings)` -> (model, path of its zip)."""

    def build(*args: Any, **settings: Any) -> tuple[Any, Path]:
        model = make_model(*args, **settings)
        _spread_out(model)
        path = tmp_path / "model.zip"
        model.save(path)
        return model, path

    return build


def _spread_out(model: Any) -> None:
    """Random weights and statistics instead of small first ones, so that outputs differ and reach their clips."""
    import torch

    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.7)
        for name, buffer in model.policy.named_buffers():
            if name.endswith(("ra_mean", "ra_var")):
                buffer.copy_(torch.rand(buffer.shape) + 0.1)


@pytest.fixture(scope="session")
def plain_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small valid PPO zip with continuous actions."""
    from gymnasium import spaces

    path = tmp_path_factory.mktemp("plain") / "plain.zip"
    make_model("PPO", spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (2,))).save(path)
    return path


def rebuilt(
    source: Path,
    target: Path,
    data: Callable[[dict[str, Any]], Any] | None = None,
    state: Callable[[dict[str, Any]], Any] | None = None,
    members: Mapping[str, bytes | None] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """A copy of a zip with its `data` or state dict edited in place, and members replaced, added or (None) left out."""
    with zipfile.ZipFile(source) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if data is not None:
        fields = json.loads(content["data"])
        data(fields)
        content["data"] = json.dumps(fields).encode()
    if state is not None:
        import torch

        tensors = torch.load(io.BytesIO(content["policy.pth"]), weights_only=True)
        state(tensors)
        stream = io.BytesIO()
        torch.save(tensors, stream)
        content["policy.pth"] = stream.getvalue()
    content.update({name: value for name, value in (members or {}).items() if value is not None})
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, value in content.items():
            if (members or {}).get(name, b"") is not None:
                archive.writestr(name, value)
    return target


@pytest.fixture
def rebuild(plain_zip: Path, tmp_path: Path) -> Callable[..., Path]:
    """`rebuild(data=..., state=..., members=...)`: an edited copy of the plain zip."""

    def build(**edits: Any) -> Path:
        return rebuilt(plain_zip, tmp_path / "edited.zip", **edits)

    return build


class Canary:
    """Its pickle makes a folder when something unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "canary")
