from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from balancing import linear
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network

gymnasium = pytest.importorskip("gymnasium")

from rlcompress.tasks.episodes import Environment, run_episodes  # noqa: E402
from rlcompress.tasks.expert_episodes import ExpertLog, expert_episodes  # noqa: E402
from rlcompress.tasks.policy import PolicyTask  # noqa: E402

CARTPOLE, PENDULUM = PolicyTask("CartPole-v1"), PolicyTask("Pendulum-v1")
SEEDS = (3, 4, 5)


class Remembers:
    """Pushes against the pole's fall, which it knows from the last position alone, and weakly: episodes end early."""

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic
        angle = observation[:, 2]
        last = angle if state is None else np.where(episode_start, angle, state)
        return (2 * angle + (angle - last) > 0.03).astype(np.int64), angle


class Says:
    """The same answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = np.asarray(answer)

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        return self.answer, state


def watched(expert: Any, actor: Network | None = None, task: PolicyTask = CARTPOLE, **others: Any) -> ExpertLog:
    return expert_episodes(task.environment, task.contract, task.output_size, expert, actor, SEEDS, **others)


def one_by_one(seed: int, actor: Network | None = None) -> tuple[float, list[Any], list[int]]:
    env, state, expert, policy = gymnasium.make("CartPole-v1"), None, Remembers(), actor
    observation, _ = env.reset(seed=seed)
    total, seen, said, over = 0.0, [], [], False
    while not over:
        told, state = expert.predict(observation[None], state, np.array([state is None]), True)
        seen.append(observation)
        said.append(int(told[0]))
        step = said[-1] if policy is None else int(observation @ policy.dense_layers()[0].weight[1] > 0)
        observation, reward, terminated, truncated, _ = env.step(step)
        total, over = total + float(reward), terminated or truncated
    env.close()
    return total, seen, said


def test_each_episode_is_that_of_a_plain_loop_with_a_memory_of_its_own() -> None:
    log = watched(Remembers())
    alone = [one_by_one(seed) for seed in SEEDS]
    assert len({total for total, _, _ in alone}) > 1, "episodes of different lengths are wanted here"
    assert log.returns.tolist() == [total for total, _, _ in alone]
    assert np.array_equal(log.observations, np.concatenate([np.stack(seen) for _, seen, _ in alone]))
    assert log.choices.argmax(1).tolist() == [choice for _, _, said in alone for choice in said]
    assert np.array_equal(log.choices.sum(1), np.ones(len(log.choices)))


def test_a_network_acts_while_the_expert_says_what_it_would_do() -> None:
    actor = linear()
    log = watched(Remembers(), actor)
    played = run_episodes(Environment("CartPole-v1"), [actor], [(0, seed) for seed in SEEDS], record=True)
    assert np.array_equal(log.returns, played.returns)
    assert np.array_equal(log.observations, np.concatenate(played.observations))
    angle = np.concatenate([np.diff(rows[:, 2], prepend=rows[0, 2]) + 2 * rows[:, 2] for rows in played.observations])
    assert np.mean(log.choices.argmax(1) == (angle > 0.03)) > 0.999  # differences of float32 may fall either way


class Tilted(gymnasium.Wrapper[Any, Any, Any, Any]):
    """CartPole that hides its state in `info`."""

    def reset(self, **others: Any) -> Any:
        observation, _ = self.env.reset(**others)
        return np.zeros(4, np.float32), {"state": observation}

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, _ = self.env.step(action)
        return np.zeros(4, np.float32), reward, terminated, truncated, {"state": observation}


def test_an_expert_may_see_more_than_the_network() -> None:
    gymnasium.register("Tilted-v0", lambda: Tilted(gymnasium.make("CartPole-v1")))
    try:
        log = watched(Remembers(), task=PolicyTask("Tilted-v0"), sees="state")
        assert not log.observations.any()
        assert log.returns.tolist() == watched(Remembers()).returns.tolist()
        with pytest.raises(InvalidValueError, match=r"expert_sees: .*'state'.*'ground'"):
            watched(Remembers(), task=PolicyTask("Tilted-v0"), sees="ground")
    finally:
        gymnasium.registry.pop("Tilted-v0")


@pytest.mark.parametrize(
    ("task", "answer", "wanted"),
    [
        (CARTPOLE, [0, 1], r"3 whole numbers 0\.\.1"),
        (CARTPOLE, [0, 1, 2], r"3 whole numbers 0\.\.1"),
        (CARTPOLE, [0, -1, 1], r"3 whole numbers 0\.\.1"),
        (CARTPOLE, [0.0, 1.0, 1.0], r"3 whole numbers 0\.\.1"),
        (PENDULUM, [[0.0], [1.0]], "3 finite actions of 1 values"),
        (PENDULUM, [[0.0, 1.0]] * 3, "3 finite actions of 1 values"),
        (PENDULUM, [[0.0], [np.nan], [1.0]], "3 finite actions of 1 values"),
    ],
)
def test_what_is_no_action_is_refused(task: PolicyTask, answer: Any, wanted: str) -> None:
    with pytest.raises(InvalidValueError, match=f"expert: {wanted}"):
        watched(Says(answer), task=task)


def test_continuous_choices_are_the_actions() -> None:
    log = watched(Says([[0.5], [-2.0], [1.5]]), task=PENDULUM)
    assert log.choices.shape == (600, 1)
    assert log.choices[[0, 200, 400], 0].tolist() == [0.5, -2.0, 1.5]
