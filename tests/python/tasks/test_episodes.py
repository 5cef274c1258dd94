from __future__ import annotations

import numpy as np
import pytest

from balancing import linear, redundant
from rlcompress.contract import Contract, clip_to
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import UniformActor
from rlcompress.runtime import Runtime

gymnasium = pytest.importorskip("gymnasium")

from rlcompress.tasks import episodes  # noqa: E402
from rlcompress.tasks.episodes import Environment, run_episodes  # noqa: E402

CARTPOLE = Environment("CartPole-v1")
PENDULUM = Environment("Pendulum-v1")
SWINGS = Network((Dense(np.array([[0.5, -1.0, 0.2]]), np.zeros(1)),), Contract((3,), clip_to([-2.0], [2.0])))


def one_by_one(env_id: str, network: Network, seed: int) -> tuple[float, list[np.ndarray]]:
    """An episode as a user would run it."""
    env, policy = gymnasium.make(env_id), Runtime(network)
    observation, _ = env.reset(seed=seed)
    total, seen, over = 0.0, [], False
    while not over:
        seen.append(np.asarray(observation, np.float32))
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total, over = total + float(reward), terminated or truncated
    env.close()
    return total, seen


@pytest.mark.parametrize(("environment", "network"), [(CARTPOLE, redundant()), (PENDULUM, SWINGS)])
def test_episodes_are_those_of_a_plain_loop(environment: Environment, network: Network) -> None:
    log = run_episodes(environment, [network], [(0, 3), (0, 4)], record=True)
    for index, seed in enumerate((3, 4)):
        total, seen = one_by_one(environment.env_id, network, seed)
        assert log.returns[index] == total
        assert log.lengths[index] == len(seen)
        assert np.array_equal(log.observations[index], np.stack(seen))


def test_company_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [(1, 0), (0, 1), (1, 2), (0, 3), (2, 4), (1, 1)]
    actors = [linear(-1), redundant(), UniformActor()]
    together = run_episodes(CARTPOLE, actors, plan)
    monkeypatch.setattr(episodes, "_SLOTS", 1)
    assert np.array_equal(run_episodes(CARTPOLE, actors, plan).returns, together.returns)
    alone = [run_episodes(CARTPOLE, actors, [entry]).returns[0] for entry in plan]
    assert alone == together.returns.tolist()


def test_the_time_limit_holds() -> None:
    log = run_episodes(CARTPOLE, [linear()], [(0, 1)])
    assert (log.lengths.tolist(), log.observations) == ([500], ())


def test_an_error_closes_every_environment() -> None:
    closed = []

    class Failing(gymnasium.Wrapper):
        def step(self, action: int) -> tuple[object, float, bool, bool, dict[str, object]]:
            raise RuntimeError("the motor is hot")

        def close(self) -> None:
            closed.append(self)

    name = "FailingCartPole-v0"
    gymnasium.register(name, lambda: Failing(gymnasium.make("CartPole-v1").unwrapped), max_episode_steps=50)
    try:
        with pytest.raises(RuntimeError, match="the motor is hot"):
            run_episodes(Environment(name), [linear()], [(0, 1), (0, 2)])
    finally:
        del gymnasium.registry[name]
    assert len(closed) == 2


def test_other_wrappers_stay_on() -> None:
    class Doubled(gymnasium.RewardWrapper):
        def reward(self, reward: float) -> float:
            return 2 * reward

    name = "DoubledCartPole-v0"
    gymnasium.register(name, lambda: Doubled(gymnasium.make("CartPole-v1").unwrapped), max_episode_steps=50)
    try:
        log = run_episodes(Environment(name), [linear()], [(0, 1)])
    finally:
        del gymnasium.registry[name]
    assert (log.lengths.tolist(), log.returns.tolist()) == ([50], [100])


@pytest.mark.parametrize("environment", [CARTPOLE, PENDULUM])
def test_exploring_depends_on_its_seed_alone(environment: Environment) -> None:
    network = linear() if environment is CARTPOLE else SWINGS

    def returns(share: float, seed: int) -> list[float]:
        return run_episodes(environment, [network], [(0, 1), (0, 2)], share, seed).returns.tolist()

    assert returns(0.5, 1) == returns(0.5, 1) != returns(0.5, 2)
    assert returns(0.0, 1) == returns(0.0, 2)


def test_an_environment_is_spared_the_check_of_actions_but_no_other_sees_it() -> None:
    bare, limit = episodes._without_transparent_wrappers(Environment("CartPole-v1").make())
    assert limit == 500
    assert bare.action_space.contains("anything")
    assert bare.action_space == Environment("CartPole-v1").make().action_space
    assert not Environment("CartPole-v1").make().unwrapped.action_space.contains(2)
