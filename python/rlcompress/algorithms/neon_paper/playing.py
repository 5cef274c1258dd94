"""Episodes of the published NEON, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rlcompress.algorithms.neon_paper.agent import Agent, Trajectory, chances, empty_trajectory, fresh_agent, learn
from rlcompress.algorithms.neon_paper.config import PaperSettings
from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.narrowing_env import check_narrowable, sample_rows
from rlcompress.layerwise.narrowing_state import observe
from rlcompress.layerwise.narrowing_step import KEEP_SHARES, NarrowingRules, narrow, score_of
from rlcompress.layerwise.rewards import cubic_reward
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask

Choose = Callable[[np.ndarray, np.random.Generator], int]
"""(observation, generator) to action."""


def drawn(agent: Agent, greedy: bool = False) -> Choose:
    """Actions drawn by the agent's probabilities, or the likeliest."""

    def choose(observation: np.ndarray, rng: np.random.Generator) -> int:
        shares = chances(agent, observation)
        return int(np.argmax(shares)) if greedy else int(rng.choice(len(shares), p=shares))

    return choose


def at_random(observation: np.ndarray, rng: np.random.Generator) -> int:
    """Any action."""
    return int(rng.integers(len(KEEP_SHARES)))


def always(action: int) -> Choose:
    """The same action at every step; the last one keeps 0.6."""
    if not 0 <= action < len(KEEP_SHARES):
        raise InvalidValueError(f"action: 0..{len(KEEP_SHARES) - 1} expected, found {action}")
    return lambda observation, rng: action


def play_step(
    network: Network,
    original: Network,
    played: Trajectory,
    task: DatasetTask,
    rules: NarrowingRules,
    baseline: float,
    choose: Choose,
    seed: tuple[int, int],
) -> tuple[Network, Trajectory]:
    """One decision: the network after it, and the trajectory with it.

    Args:
        network: as it is.
        original: as the episode began.
        played: the episode's steps so far.
        task, rules: of the episode.
        baseline: score of the original network on the search rows, in points.
        choose: gives the action.
        seed: of the run, and the episode's number.
    """
    at = len(played.actions)
    rng = np.random.default_rng((*seed, 46, at))
    layer = rules.layer_at(original, at)
    observation = observe(network, layer, sample_rows(task))
    action = choose(observation, rng)
    keep = KEEP_SHARES[action]
    network = narrow(network, layer, keep, task, rules, int(rng.integers(2**31)))
    change = 0.0 if network is original else score_of(network, task) - baseline
    reward = cubic_reward(100 * (1 - keep), change, rules.tolerance)
    return network, played.joined(observation, action, reward)


def play_episode(
    original: Network, task: DatasetTask, rules: NarrowingRules, choose: Choose, seed: tuple[int, int]
) -> tuple[Network, Trajectory]:
    """A whole episode; the network that it ends with, good or bad.

    Raises:
        InvalidValueError, UnsupportedError: as `check_narrowable`.
    """
    original = check_narrowable(original, task)
    baseline, network, played = score_of(original, task), original, empty_trajectory()
    for _ in range(rules.steps(original)):
        network, played = play_step(network, original, played, task, rules, baseline, choose, seed)
    return network, played


def train_agent(
    problems: Sequence[tuple[Network, DatasetTask]],
    settings: PaperSettings,
    episodes: int,
    seed: int,
    on_episode: Callable[[int, int, float], None] = lambda episode, problem, total: None,
) -> Agent:
    """An agent trained over many base networks, in a fixed shuffled cycle, to be used on others.

    Args:
        problems: base networks with their tasks.
        settings: of steps and agent.
        episodes: in all; the first `settings.warm_up(len(problems))` act at random.
        seed: of everything.
        on_episode: told the episode, the place of its problem, and its sum of rewards.
    """
    if not problems:
        raise InvalidValueError("problems: at least one network with its task expected, found none")
    agent = fresh_agent(settings.encoder, seed)
    order = np.random.default_rng((seed, 48)).permutation(len(problems))
    for episode in range(episodes):
        place = int(order[episode % len(problems)])
        network, task = problems[place]
        choose = at_random if episode < settings.warm_up(len(problems)) else drawn(agent)
        _, played = play_episode(network, task, settings.rules, choose, (seed, episode))
        agent = learn(agent, played, settings)
        on_episode(episode, place, float(played.rewards.sum()))
    return agent
