"""Policies saved by Stable-Baselines3 (DQN, PPO, A2C, SAC, TD3, DDPG with MlpPolicy; before 1.0 to 2.9).

Those of sb3-contrib too: TRPO, TQC, CrossQ, QR-DQN and ARS. Needs neither these libraries nor Gym, and unpickles
nothing.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax, Contract, Head, clip_to, squash_to
from rlcompress.errors import ImportFormatError, InvalidValueError, StatisticsWarning, UnsupportedError
from rlcompress.importers.options import ImportOptions
from rlcompress.importers.sb3_archive import Sb3Archive, read_archive
from rlcompress.importers.sb3_policies import Actor, Saved, read_actor
from rlcompress.importers.sb3_spaces import Box, Discrete, Space, parse_space
from rlcompress.importers.statistics_hints import statistics_hint
from rlcompress.network import Network

_OFF_POLICY = ("dqn", "sac", "td3", "ddpg", "qrdqn", "tqc", "crossq")


def load_sb3(source: Any, options: ImportOptions) -> Network:
    """The deployed actor of a zip saved by Stable-Baselines3.

    Args:
        source: path of the zip.
        options: `action_range` replaces the range of a continuous action; the caller attaches observation statistics.

    Returns:
        The network whose head gives what `predict(deterministic=True)` gives, before any normalisation. Metadata:
        `source_format`, `algorithm`, `sb3_version`, `source_file` (base name) and `teacher_sha256`.

    Raises:
        ImportFormatError: not such a zip, damaged, contradictory, or built to do harm.
        MissingFileError: no such file.
        MissingExtraError: torch is not installed.
        UnsupportedError: a policy or space outside the list above, or torch older than 2.6.
    """
    archive = read_archive(Path(source))
    name = str(archive.path)
    observation = parse_space(archive.fields("observation_space"), "observation_space", name)
    action = parse_space(archive.fields("action_space"), "action_space", name)
    shape = _observation_shape(observation, name)
    actor = read_actor(Saved(archive.state, archive.data, action.n if isinstance(action, Discrete) else None))
    _check_sizes(actor, math.prod(shape), action, name)
    head = _head(actor, action, options, name)
    low, high = _observation_range(observation)
    try:
        contract = Contract(observation_shape=shape, head=head, observation_low=low, observation_high=high)
        network = Network(layers=actor.layers, contract=contract, metadata=_metadata(archive, actor))
    except InvalidValueError as error:
        raise ImportFormatError(f"{name}: {error}") from error
    if not options.statistics_given:
        _warn_of_statistics(archive, actor)
    return network


def _observation_shape(space: Space, name: str) -> tuple[int, ...]:
    if isinstance(space, Discrete):
        raise UnsupportedError(
            f"{name}: the observation is one integer (Discrete({space.n})), which the policy sees one-hot; "
            "train with a wrapper that gives the one-hot vector as a Box observation"
        )
    if space.dtype == "uint8" and len(space.shape) == 3:
        raise UnsupportedError(
            f"{name}: the observation is an image of shape {space.shape}, which Stable-Baselines3 scales and "
            "transposes on its own; train with a wrapper that gives a flat float32 Box observation"
        )
    if not 1 <= len(space.shape) <= 4:
        raise UnsupportedError(f"{name}: observations of 1 to 4 dimensions are supported, shape {space.shape} found")
    return space.shape


def _observation_range(space: Space) -> tuple[FloatArray | None, FloatArray | None]:
    known = isinstance(space, Box) and space.low is not None and space.high is not None
    return (space.low, space.high) if known and isinstance(space, Box) else (None, None)


def _check_sizes(actor: Actor, inputs: int, action: Space, name: str) -> None:
    outputs = action.n if isinstance(action, Discrete) else action.size
    first, last = actor.layers[0].in_features, actor.layers[-1].out_features
    if first != inputs:
        raise ImportFormatError(f"{name}: the observation has {inputs} values, the first layer takes {first}")
    if last != outputs:
        raise ImportFormatError(f"{name}: the action space needs {outputs} outputs, the last layer gives {last}")


def _head(actor: Actor, action: Space, options: ImportOptions, name: str) -> Head:
    if isinstance(action, Discrete):
        if options.action_range is not None:
            raise InvalidValueError(f"{name}: action_range is for continuous actions, found Discrete({action.n})")
        if action.start != 0:
            raise UnsupportedError(
                f"{name}: actions start at {action.start}, but Stable-Baselines3 hands 0..{action.n - 1} to the "
                "environment whatever the start; train with a wrapper whose actions start at 0"
            )
        return Argmax()
    if len(action.shape) != 1:
        raise UnsupportedError(f"{name}: actions of shape {action.shape}; train with a wrapper that flattens them")
    low, high = _action_range(action, options, name)
    if actor.output == "clip":
        return clip_to(low, high)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ImportFormatError(
            f"{name}: finite action range expected, found {low}..{high}; give action_range=(low, high)"
        )
    return squash_to(low, high, actor.mean_clip)


def _action_range(action: Box, options: ImportOptions, name: str) -> tuple[FloatArray, FloatArray]:
    if options.action_range is None:
        if action.low is None or action.high is None:
            raise UnsupportedError(f"{name}: the file abbreviates the action range; give it: action_range=(low, high)")
        if not (action.low <= action.high).all():
            raise ImportFormatError(f"{name}: action range: low <= high expected, found {action.low} and {action.high}")
        return action.low, action.high
    try:
        low, high = (np.broadcast_to(np.asarray(end, np.float32), action.shape).copy() for end in options.action_range)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"action_range: (low, high), numbers or {action.size} values each: {error}") from error
    return low, high


def _metadata(archive: Sb3Archive, actor: Actor) -> dict[str, Any]:
    return {
        "source_format": "sb3",
        "algorithm": actor.algorithm,
        "sb3_version": archive.version,
        "source_file": archive.file_name,
        "teacher_sha256": archive.sha256,
    }


def _warn_of_statistics(archive: Sb3Archive, actor: Actor) -> None:
    hint = statistics_hint(archive.path, archive.data, on_policy=actor.algorithm not in _OFF_POLICY)
    if hint is not None:
        warnings.warn(
            f"{archive.path}: this policy seems to expect normalised observations ({hint}), and no statistics were "
            "given: without them its actions are wrong. Give the VecNormalize file: vecnormalize=PATH (command line: "
            "--vecnormalize PATH)",
            StatisticsWarning,
            stacklevel=5,
        )
