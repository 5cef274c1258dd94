"""The learning part: Stable-Baselines3's DQN on `PruningEnv`, its rollouts projected onto the budget.

The agent itself is not stored. Scores of all plans are in the journal, and all random numbers come from the seed, so an
agent that plays its episodes again from the first one comes to the same place without judging a plan.

Source: Gupta et al. 2020 (environment, DQN); purl.paper() uses both as they are.
Deviates: with a promised sparsity an episode ends with its plan projected onto the budget and judged for real, and what
is shown and rewarded before the last layer is the sum of single-layer damages, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept
from rlcompress.algorithms.purl.config import Settings
from rlcompress.algorithms.purl.generators import OwnGenerators
from rlcompress.algorithms.purl.journal import Journal
from rlcompress.algorithms.purl.judging import Judge
from rlcompress.algorithms.purl.state import State
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.engine.parallel import single_threaded
from rlcompress.layerwise.rewards import Reward
from rlcompress.optional import require

_BLOCK = 5
_WARM_UP = 10
_HIDDEN = [128, 128]
_LAST_EPSILON, _EXPLORING_SHARE = 0.05, 0.6


def episodes_for(settings: Settings) -> int:
    """Episodes that the agent plays in all."""
    return settings.episodes or int(settings.agent_share * settings.evaluations)


class Damages:
    """Score of a plan as the dense one less the single-layer damages of the journal, interpolated over densities.

    Args:
        journal: holds the dense plan first.
        allowed: sizes.
    """

    def __init__(self, journal: Journal, allowed: Allotment) -> None:
        self.spent = 0.0
        dense = np.asarray(journal.plan(0))
        self._dense, self._allowed = float(journal.scores[0]), allowed
        single = (journal.kept != dense).sum(axis=1) == 1
        self._tables = []
        for layer in range(allowed.layers):
            rows = np.flatnonzero(single & (journal.kept[:, layer] != dense[layer]) & np.isfinite(journal.scores))
            rows = rows[np.argsort(journal.kept[rows, layer], kind="stable")]
            logs = np.log(np.maximum(journal.kept[rows, layer], 1) / dense[layer])
            self._tables.append((np.append(logs, 0.0), np.append(self._dense - journal.scores[rows], 0.0)))

    def score(self, kept: Sequence[int]) -> float:
        """The estimate; never below 0 where the dense score lies above it."""
        tops = self._allowed.ceilings
        damage = sum(
            float(np.interp(np.log(max(count, 1) / top), *table)) for count, top, table in zip(kept, tops, self._tables)
        )
        estimate = self._dense - damage
        return max(0.0, estimate) if self._dense > 0 else estimate


class Remembered:
    """An evaluator that asks the journal first and notes what it had to judge."""

    def __init__(self, judge: Judge, known: Mapping[Kept, float]) -> None:
        self.spent = 0.0
        self.failure = ""
        self._judge, self._known = judge, dict(known)
        self._useless = _useless(float(self._known[judge.dense]), self._known.values())
        self.new: list[tuple[Kept, float]] = []

    def score(self, kept: Sequence[int]) -> float:
        """Score of a plan; the score of a model without any use where the judge failed."""
        plan = tuple(int(count) for count in kept)
        if plan not in self._known:
            found = self._judge.scores([plan])
            self._known[plan] = found.values[0]
            self.spent += found.spent
            self.failure = self.failure or found.failure
            self.new.append((plan, self._known[plan]))
        score = self._known[plan]
        return score if np.isfinite(score) else self._useless

    def taken(self) -> list[tuple[Kept, float]]:
        """What was judged since the last call."""
        new, self.new = self.new, []
        return new


def _useless(dense: float, scores: Iterable[float]) -> float:
    """Score of a model without any use: 0, or below all that was seen where 0 is no worse than the dense score."""
    if dense > 0:
        return 0.0
    return min(dense - (abs(dense) or 1.0), *(score for score in scores if np.isfinite(score)))


class Agent:
    """A DQN and its environment, `episodes` into its training."""

    def __init__(self, judge: Judge, allowed: Allotment, settings: Settings, journal: Journal, seed: int) -> None:
        self.episodes = 0
        self.rollouts: list[Kept] = []
        self.returns: list[float] = []
        self.scores = Remembered(judge, journal.known())
        self._layers = allowed.layers
        starting = journal if settings.exact else None
        self._env = _Logged(environment(judge, allowed, settings, self.scores, starting), self)
        self._generators = OwnGenerators()  # Stable-Baselines3 seeds the global ones, which are the user's
        with self._generators.lent():
            self._model = _dqn(self._env, episodes_for(settings), allowed.layers, seed)

    def play(self, episodes: int) -> None:
        """Train over so many more episodes."""
        with single_threaded(), self._generators.lent():
            self._model.learn(episodes * self._layers, reset_num_timesteps=False)
        self.episodes += episodes


def environment(
    judge: Judge, allowed: Allotment, settings: Settings, scores: Remembered, damages_of: Journal | None
) -> Any:
    """The environment of the agent: the paper's, or with `damages_of` the one that ends on the budget."""
    from rlcompress.layerwise.env import PruningEnv

    dense = scores.score(judge.dense)
    estimate: Any = scores if damages_of is None else Damages(damages_of, allowed)
    env: Any = PruningEnv(
        judge.prunable,
        estimate,
        target_sparsity=settings.target_sparsity,
        target_accuracy=dense if damages_of is not None else dense - settings.max_drop,
        actions="alpha" if settings.grid == "alpha" else "quantile",
        reward=settings.reward,
        beta=settings.beta,
        min_keep=min(0.5, max(settings.min_keep, 1e-6, 0.1 * allowed.total / allowed.weights)),
    )
    return env if damages_of is None else _on_budget(env, allowed, scores)


def _on_budget(env: Any, allowed: Allotment, scores: Remembered) -> Any:
    gymnasium = require("gymnasium")

    class OnBudget(gymnasium.Wrapper):  # type: ignore[misc,name-defined]
        """Ends an episode with the real score of its plan on the budget."""

        def step(self, action: Any) -> Any:
            before = self.env._value
            observation, reward, over, cut, info = self.env.step(action)
            if over:
                rule: Reward = self.env.reward
                plan = allowed.project(allowed.logs(info["plan"].kept))
                value = rule.value(scores.score(plan), allowed.sparsity(plan))
                reward = rule.step(value, before, True)
            return observation, reward, over, cut, info

    return OnBudget(env)


def _Logged(env: Any, agent: Agent) -> Any:  # noqa: N802  # makes a class where Gymnasium is there
    gymnasium = require("gymnasium")

    class Logged(gymnasium.Wrapper):  # type: ignore[misc,name-defined]
        """Notes plan and sum of rewards of each episode."""

        def reset(self, **given: Any) -> Any:
            self.total = 0.0
            return self.env.reset(**given)

        def step(self, action: Any) -> Any:
            observation, reward, over, cut, info = self.env.step(action)
            self.total += float(reward)
            if over:
                agent.rollouts.append(tuple(info["plan"].kept))
                agent.returns.append(self.total)
            return observation, reward, over, cut, info

    return Logged(env)


def _dqn(env: Any, episodes: int, layers: int, seed: int) -> Any:
    dqn: Any = require("stable_baselines3").DQN
    model = dqn(
        "MlpPolicy",
        env,
        learning_rate=1e-3,
        buffer_size=10_000,
        learning_starts=min(_WARM_UP, max(1, episodes // 4)) * layers,
        batch_size=64,
        gamma=1.0,
        train_freq=1,
        gradient_steps=4,
        target_update_interval=200,
        policy_kwargs={"net_arch": _HIDDEN},
        seed=seed,
        device="cpu",
    )
    exploring = max(1.0, _EXPLORING_SHARE * episodes * layers)
    # Its own schedule knows the share of one call of learn() alone; blocks need the share of all episodes.
    model.exploration_schedule = lambda _: max(_LAST_EPSILON, 1 - (1 - _LAST_EPSILON) * model.num_timesteps / exploring)
    return model


def agent_step(
    judge: Judge, allowed: Allotment, settings: Settings, state: State, seed: int, emit: Emit, live: Agent | None
) -> tuple[State, Agent | None]:
    """A block of episodes, and the agent to go on with; a fresh one plays its episodes again first."""
    wanted = episodes_for(settings)
    left = settings.evaluations - state.journal.count
    if state.episodes >= wanted or (settings.exact and left <= 0):
        return replace(state, phase="search"), None
    if state.episodes == 0:
        emit(PhaseStarted("agent", f"DQN, {wanted} episodes"))
    if live is None or live.episodes != state.episodes:
        began = _before_agent(state)
        live = Agent(judge, allowed, settings, began, seed)
        live.scores._known.update(state.journal.known())
        for _ in range(state.episodes // _BLOCK):
            live.play(_BLOCK)
    live.play(_BLOCK)
    new = live.scores.taken()
    spent, live.scores.spent = live.scores.spent, 0.0
    journal = state.journal.with_plans([plan for plan, _ in new], [score for _, score in new], "agent")
    emit(Progress(min(1.0, live.episodes / wanted), "agent"))
    return (
        replace(
            state,
            journal=journal,
            episodes=live.episodes,
            rollouts=np.asarray(live.rollouts, np.int64),
            returns=np.asarray(live.returns),
            spent=state.spent + spent,
            failure=state.failure or live.scores.failure,
        ),
        live,
    )


def _before_agent(state: State) -> Journal:
    """The journal as it was when the agent began, from which its damages come."""
    own = state.journal.of("agent")
    first = own[0] if own else state.journal.count
    journal = state.journal
    return Journal(journal.kept[:first], journal.scores[:first], journal.origins[:first])
