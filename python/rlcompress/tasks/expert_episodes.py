"""Episodes in which an expert of any kind acts, or says at every step what it would do while a network acts.

An expert may keep a memory, so that it has to be there when the observations come: what it says of one depends on
those before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax, Contract
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.problem import Float64Array
from rlcompress.runtime import Runtime
from rlcompress.tasks.episodes import Environment, Slot, open_slot


@runtime_checkable
class Expert(Protocol):
    """Acts as Stable-Baselines3's policies do, recurrent ones included."""

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        """Actions for a batch of observations, and the state for the next call.

        Args:
            observation: (n, ...) as the environment gives them.
            state: None at first, then what the last call returned.
            episode_start: (n,) bool, whether a row is the first of its episode.
            deterministic: True here.
        """
        ...


@dataclass(frozen=True, eq=False)
class ExpertLog:
    """What `expert_episodes` saw, episode after episode.

    Args:
        observations: (n, inputs) float32.
        choices: (n, outputs) float32: what the expert would do, a 1 at the chosen action or continuous actions.
        returns: (episodes,) float64 undiscounted sums of rewards.
    """

    observations: FloatArray
    choices: FloatArray
    returns: Float64Array


def expert_episodes(
    environment: Environment,
    contract: Contract,
    outputs: int,
    expert: Expert,
    actor: Network | None,
    seeds: Sequence[int],
    sees: str | None = None,
) -> ExpertLog:
    """One episode per seed, all in lock-step.

    Args:
        environment: where.
        contract: what the environment gives and takes.
        outputs: actions to choose from, or values of a continuous action.
        expert: asked at every step.
        actor: a network that acts; None: the expert does.
        seeds: of the episodes.
        sees: entry of the environment's `info` that the expert is given in place of the observation.

    Raises:
        InvalidValueError: the expert's actions are no actions of the environment, or `info` has no such entry.
    """
    runtime = None if actor is None else Runtime(actor)
    slots: list[Slot] = []
    seen: list[list[FloatArray]] = [[] for _ in seeds]
    said: list[list[FloatArray]] = [[] for _ in seeds]
    state = None
    try:
        slots.extend(open_slot(environment, index, seed) for index, seed in enumerate(seeds))
        starts = np.ones(len(slots), bool)
        while any(slot.limit for slot in slots):
            batch = np.stack([np.asarray(slot.observation) for slot in slots])
            shown = batch if sees is None else np.stack([_entry(slot, sees) for slot in slots])
            told, state = expert.predict(shown, state=state, episode_start=starts, deterministic=True)
            choices = _choices(told, contract, len(slots), outputs)
            rows = batch.reshape(len(slots), -1).astype(np.float32)
            actions = _actions(choices, contract) if runtime is None else runtime(rows.reshape(batch.shape))
            for slot, row, choice, action in zip(slots, rows, choices, actions):
                if slot.limit:  # a finished one keeps its place, so that the expert's rows stay where they are
                    seen[slot.index].append(row)
                    said[slot.index].append(choice)
                    slot.step(int(action) if isinstance(contract.head, Argmax) else action.reshape(_shape(slot)))
            starts = np.zeros(len(slots), bool)
    finally:
        for slot in slots:
            if slot.limit:
                slot.env.close()
    joined = [np.concatenate([np.stack(rows) for rows in kept]) for kept in (seen, said)]
    return ExpertLog(joined[0], joined[1], np.array([slot.total for slot in slots]))


def _entry(slot: Slot, name: str) -> Any:
    if name not in slot.info:
        raise InvalidValueError(
            f"expert_sees: an entry of the environment's info expected, one of {sorted(slot.info)}, found {name!r}"
        )
    return np.asarray(slot.info[name])


def _choices(told: Any, contract: Contract, rows: int, outputs: int) -> FloatArray:
    """The expert's actions in the form that students learn from."""
    actions = np.asarray(told)
    if not isinstance(contract.head, Argmax):
        if actions.size != rows * outputs or len(actions) != rows or not np.isfinite(actions).all():
            raise InvalidValueError(
                f"expert: {rows} finite actions of {outputs} values expected of predict, found {actions!r}"
            )
        return actions.reshape(rows, outputs).astype(np.float32)
    chosen = actions.reshape(-1) - contract.head.start if actions.dtype.kind in "iu" else np.zeros(0)
    if chosen.size != rows or (chosen < 0).any() or (chosen >= outputs).any():
        first = contract.head.start
        raise InvalidValueError(
            f"expert: {rows} whole numbers {first}..{first + outputs - 1} expected of predict, found {actions!r}"
        )
    found = np.zeros((rows, outputs), np.float32)
    found[np.arange(rows), chosen] = 1
    return found


def _actions(choices: FloatArray, contract: Contract) -> Any:
    return choices.argmax(1) + contract.head.start if isinstance(contract.head, Argmax) else choices


def _shape(slot: Slot) -> Any:
    return slot.env.action_space.shape
