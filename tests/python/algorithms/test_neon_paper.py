"""The published NEON as a run, its agent and the plain ways beside it."""

from __future__ import annotations

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.algorithms.neon_paper import PaperNEON, load_agent, save_agent, train_agent
from rlcompress.algorithms.neon_paper.agent import REWARD_UNIT, Trajectory, chances, fresh_agent, learn
from rlcompress.algorithms.neon_paper.baselines import (
    always_narrowest,
    from_scratch,
    magnitude_neurons,
    random_actions,
    smallest_holding,
    uniform_width,
)
from rlcompress.corpus import Architecture, train_base
from rlcompress.engine.driver import Budget, drive
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.layerwise.narrowing_state import OBSERVATION
from rlcompress.layerwise.narrowing_step import NarrowingRules, score_of
from rlcompress.problem import Problem
from rlcompress.training.relearning import Relearning

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

X = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
TASK = rlc.DatasetTask(X, (X[:, 0] + X[:, 1] > 0).astype(np.int64), validation=0.5)
RULES = NarrowingRules(passes=2, relearning=Relearning(3, 10, 64, 1e-2))
QUICK = PaperNEON(passes=2, episodes=3, epochs=2, batch_size=64, tolerance=5.0, encoder=8)


@pytest.fixture(scope="module")
def teacher() -> rlc.Network:
    return train_base(TASK, Architecture.plain(20, 16), seed=0, epochs=15)


def test_a_run_ends_with_the_network_of_its_last_episode(teacher) -> None:
    result = rlc.compress(teacher, TASK, QUICK, jobs=1)
    (candidate,) = result.candidates
    assert candidate.parameters < teacher.parameter_count
    assert candidate.network.widths[0] == 3
    assert candidate.accepted == (result.best_candidate is candidate)
    assert candidate.values.size == TASK.count("final")
    assert "points" in candidate.reason
    assert len(result.teacher.values) == TASK.count("final")
    if not candidate.accepted:
        assert result.best == teacher
        assert any("not accepted" in note for note in result.notes)


def test_a_network_that_lost_more_than_the_tolerance_is_shown_and_not_returned(teacher) -> None:
    ruined = PaperNEON(passes=1, episodes=0, epochs=0, encoder=8, tolerance=0.0)  # fresh weights, never trained
    seeds = [rlc.compress(teacher, TASK, ruined, seed=seed, jobs=1) for seed in range(3)]
    changed = [result for result in seeds if result.candidates[0].parameters < teacher.parameter_count]
    assert changed
    for result in changed:
        assert result.candidates[0].accepted is False
        assert result.best == teacher


def test_a_run_in_pieces_is_the_run(teacher, tmp_path) -> None:
    whole = rlc.compress(teacher, TASK, QUICK, seed=3, jobs=1)
    rlc.compress(teacher, TASK, QUICK, seed=3, jobs=1, run_dir=tmp_path / "run", max_steps=7)
    rlc.compress(teacher, TASK, QUICK, seed=3, jobs=1, run_dir=tmp_path / "run", max_steps=11)
    pieces = rlc.resume(tmp_path / "run", task=TASK)
    assert pieces.candidates[0].network == whole.candidates[0].network
    assert np.array_equal(pieces.candidates[0].values, whole.candidates[0].values)


def test_an_unfinished_run_gives_the_teacher(teacher) -> None:
    outcome = drive(QUICK, Problem(teacher, TASK), lambda event: None, budget=Budget(steps=2))
    assert outcome.output.best == teacher
    assert "as it is" in outcome.output.notes[0]


def test_values_are_narrowed_too() -> None:
    task = rlc.DatasetTask(X, 100 + 9 * X[:, 0] * X[:, 1], metric="squared_error", validation=0.4)
    net = train_base(task, Architecture.plain(24), seed=0, epochs=20)
    assert score_of(net, task) < 0  # points of explained variance, less 100
    result = rlc.compress(net, task, PaperNEON(passes=1, episodes=1, epochs=3, encoder=8, tolerance=50.0), jobs=1)
    assert result.candidates[0].network.widths[-1] == 1


def test_what_is_no_job_for_it(teacher) -> None:
    linear = train_base(TASK, Architecture.plain(), seed=0, epochs=2)
    with pytest.raises(UnsupportedError, match="hidden layer"):
        rlc.compress(linear, TASK, QUICK, jobs=1)
    for settings in ({"tolerance": -1.0}, {"passes": 0}, {"episodes": -1}, {"discount": 0.0}, {"agent_rate": 0.0}):
        with pytest.raises(InvalidValueError, match=next(iter(settings))):
            PaperNEON(**settings)


def test_the_agent_learns_which_action_pays() -> None:
    settings, agent = PaperNEON(encoder=16, agent_rate=3e-3, discount=1e-6), fresh_agent(16, 0)
    rng = np.random.default_rng(1)
    for _ in range(60):
        observations = (1 + 0.1 * rng.normal(size=(12, OBSERVATION))).astype(np.float32)
        actions = np.array([rng.choice(5, p=chances(agent, row)) for row in observations])
        agent = learn(agent, Trajectory(observations, actions, np.where(actions == 3, REWARD_UNIT, 0.0)), settings)
    assert chances(agent, observations[0])[3] > 0.6
    assert agent.updates == 60


def test_returns_are_discounted() -> None:
    played = Trajectory(
        np.zeros((3, OBSERVATION), np.float32), np.zeros(3, np.int64), np.array([1.0, 0, 2]) * REWARD_UNIT
    )
    np.testing.assert_allclose(played.returns(0.5), [1.5, 1.0, 2.0])


def test_an_agent_of_many_networks_is_used_on_another(teacher, tmp_path) -> None:
    others = [train_base(TASK, Architecture.plain(width), seed=1, epochs=2) for width in (9, 7)]
    told = []
    agent = train_agent([(net, TASK) for net in others], QUICK, 5, 0, lambda *entry: told.append(entry))
    assert [entry[0] for entry in told] == list(range(5))
    assert {entry[1] for entry in told} == {0, 1}
    save_agent(agent, tmp_path / "agent.rlc", seed=0)
    read = load_agent(str(tmp_path / "agent.rlc"))
    assert read.actor == agent.actor
    given = PaperNEON(passes=1, epochs=1, agent=str(tmp_path / "agent.rlc"), greedy=True, encoder=8)
    outcome = drive(given, Problem(teacher, TASK), lambda event: None)
    assert outcome.steps == 4  # two decisions, accept, final: no training
    teacher.save(tmp_path / "other.rlc")
    with pytest.raises(InvalidValueError, match="440 inputs and 5 outputs expected"):
        load_agent(str(tmp_path / "other.rlc"))


def test_fixed_actions(teacher) -> None:
    narrowest = always_narrowest(teacher, TASK, RULES, 0)
    assert narrowest.widths == (3, 8, 6, 2)  # 20 -> 12 -> 8, 16 -> 10 -> 6
    drawn = random_actions(teacher, TASK, RULES, 0)
    assert drawn == random_actions(teacher, TASK, RULES, 0)
    assert all(8 <= width <= 20 for width in drawn.widths[1:2])


def test_pruned_neurons(teacher) -> None:
    training = Relearning(10, 10, 64)
    uniform = uniform_width(teacher, TASK, 0.25, training, 0)
    assert uniform.widths == (3, 5, 4, 2)
    magnitude = magnitude_neurons(teacher, TASK, 0.25, training, 0)
    assert sum(magnitude.widths[1:-1]) == 9
    assert min(magnitude_neurons(teacher, TASK, 1e-6, Relearning(0), 0).widths[1:-1]) == 1
    for net in (uniform, magnitude):
        assert score_of(net, TASK) > 80
    with pytest.raises(InvalidValueError, match="share"):
        uniform_width(teacher, TASK, 0.0, training, 0)


def test_the_same_shape_from_scratch(teacher) -> None:
    scratch = from_scratch(uniform_width(teacher, TASK, 0.5, Relearning(0), 0), TASK, 0)
    assert scratch.widths == (3, 10, 8, 2)
    strange = [rlc.Dense(np.ones((4, 3)), np.zeros(4), "silu"), rlc.Dense(np.ones((2, 4)), np.zeros(2))]
    with pytest.raises(UnsupportedError, match="silu"):
        from_scratch(teacher.with_layers(strange), TASK, 0)


def test_a_ladder_stops_at_the_first_failure() -> None:
    made = []

    def make(share: float):
        made.append(share)
        return share

    assert smallest_holding(make, lambda share: share > 0.2) == 0.25
    assert made == [0.5, 0.25, 0.125]
    assert smallest_holding(make, lambda share: False) is None
