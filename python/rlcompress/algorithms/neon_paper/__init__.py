"""The published NEON: an agent narrows layer after layer, each time with fresh weights that are trained anew.

Source: L. Hirsch, G. Katz, "Multi-objective pruning of dense neural networks using deep reinforcement learning",
Information Sciences 610, 2022, with constants and rules from the code that the authors published where the article
leaves them open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from rlcompress.algorithms.neon_paper.agent import Agent, empty_trajectory, fresh_agent, learn, load_agent, save_agent
from rlcompress.algorithms.neon_paper.config import PaperSettings
from rlcompress.algorithms.neon_paper.outcome import result_of
from rlcompress.algorithms.neon_paper.playing import Choose, at_random, drawn, play_step, train_agent
from rlcompress.algorithms.neon_paper.state import State
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.engine.result import Result
from rlcompress.layerwise.narrowing_env import check_narrowable
from rlcompress.layerwise.narrowing_step import score_of
from rlcompress.problem import Float64Array, Problem, Split


@dataclass(frozen=True)
class PaperNEON(PaperSettings):
    """Narrow a dense network with the published agent.

    A step keeps 1.0, 0.9, 0.8, 0.7 or 0.6 of a hidden layer's width: it throws the two touching weight matrices away,
    draws fresh ones, and trains those two layers on the labels. Hidden layers come first to last, in `passes` passes.
    The reward is the percent removed, cubed where the score rose or fell by more than the tolerance (then negative),
    plain in between. Actor and critic learn by REINFORCE with baseline, one update per episode. Actions are drawn also
    in the end, and whatever network the last episode ends with is the answer: nothing is taken back.

    Here that network is then tested on rows that no decision saw: it is accepted when the lower bound (95 %, one-sided)
    of its paired difference from the teacher is above minus the tolerance. `Result.candidates` shows it either way.

    Deviates:
        Actor and critic are small perceptrons over means and spreads of the published statistics (see
        `narrowing_state.observe`), where the authors have ten million parameters each over padded maps.
        Returns are divided by the largest reward of a step. Training after a step ends after `updates`
        minibatches by default.
        Batch norm comes folded into the weights, so there is none to replace.
        Where no agent is given, one is trained on this very network; `train_agent` trains one over many networks.
        In the mode "l1" neurons are removed, where the authors mask their weights and keep their biases.
        Regression: the change of the score is in points of explained variance.
    """

    algorithm: ClassVar[str] = "neon-paper"
    state_type: ClassVar[type[State]] = State

    def check(self, problem: Problem) -> None:
        """Refuse what cannot be narrowed, and a file that holds no agent."""
        check_narrowable(problem.teacher, problem.task)
        if self.agent is not None:
            load_agent(self.agent)

    def start(self, problem: Problem, emit: Emit) -> State:
        """Score the teacher, and read or begin the agent."""
        emit(PhaseStarted("teacher", "scoring the teacher"))
        network = check_narrowable(problem.teacher, problem.task)
        task: Any = problem.task
        agent = fresh_agent(self.encoder, problem.seed) if self.agent is None else load_agent(self.agent)
        phase = "apply" if self.agent is not None or self.episodes == 0 else "train"
        nothing = np.zeros(0)
        baseline = score_of(network, task)
        return State(phase, agent, baseline, network, empty_trajectory(), nothing, nothing, nothing, nothing)

    def done(self, problem: Problem, state: State) -> bool:
        return state.phase == "done"

    def step(self, problem: Problem, state: State, emit: Emit) -> State:
        """One decision, or one set of scores."""
        if state.phase in ("train", "apply"):
            return self._decide(problem, state, emit)
        if state.phase == "accept":
            emit(PhaseStarted("accept", "testing the result on rows that no decision saw"))
            before, after = (_scores(problem, network, "accept") for network in (problem.teacher, state.network))
            return replace(state, phase="final", teacher_accept=before, accept=after)
        emit(PhaseStarted("final", "final figures"))
        before, after = (_scores(problem, network, "final") for network in (problem.teacher, state.network))
        return replace(state, phase="done", teacher_final=before, final=after)

    def finish(self, problem: Problem, state: State, emit: Emit) -> Result:
        """The result so far."""
        return result_of(problem, self, state)

    def _decide(self, problem: Problem, state: State, emit: Emit) -> State:
        original = problem.teacher.dense_float()
        task: Any = problem.task
        if not state.played.actions.size:
            emit(PhaseStarted(state.phase, f"episode {state.episode + 1}"))
        network, played = play_step(
            state.network,
            original,
            state.played,
            task,
            self.rules,
            state.baseline,
            self._choose(state),
            (problem.seed, state.episode),
        )
        if len(played.actions) < self.rules.steps(original):
            return replace(state, network=network, played=played)
        if state.phase == "apply":
            return replace(state, phase="accept", network=network, played=played)
        episode = state.episode + 1
        emit(Progress(episode / self.episodes, "train"))
        return replace(
            state,
            phase="train" if episode < self.episodes else "apply",
            agent=learn(state.agent, played, self),
            network=original,
            played=empty_trajectory(),
            episode=episode,
            returns=(*state.returns, float(played.rewards.sum())),
        )

    def _choose(self, state: State) -> Choose:
        if state.phase == "train" and state.episode < min(self.warm_up(), self.episodes):
            return at_random
        return drawn(state.agent, self.greedy and state.phase == "apply")


def _scores(problem: Problem, network: Any, split: Split) -> Float64Array:
    task: Any = problem.task
    values: Float64Array = task.score(network, split, 0, task.count(split)).values
    return values


__all__ = ["Agent", "PaperNEON", "PaperSettings", "load_agent", "save_agent", "train_agent"]
