from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from balancing import linear, redundant
from rlcompress.algorithms import pops
from rlcompress.algorithms.pops import PoPS, polishing
from rlcompress.algorithms.pops.config import LADDERS, Settings, parameters_of, students_of
from rlcompress.algorithms.pops.judge import accepted, allowance, bar, episodes_for, judge, try_candidate
from rlcompress.algorithms.pops.outcome import one_shot_pruned
from rlcompress.algorithms.pops.state import State
from rlcompress.artifact import encode
from rlcompress.engine.checkpoint import pack
from rlcompress.engine.driver import Budget, Outcome, Place, drive
from rlcompress.engine.events import CandidateScored, Emit, Event
from rlcompress.engine.run import compress, resume
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.problem import Problem, Score
from rlcompress.runtime import Runtime
from rlcompress.training.labels import label

pytest.importorskip("torch")
pytest.importorskip("gymnasium")
pytest.importorskip("cma")

from rlcompress.tasks.dataset import DatasetTask
from rlcompress.tasks.policy import PolicyTask

TASK = PolicyTask("CartPole-v1", {"max_episode_steps": 100})
TINY = PoPS(
    rounds=1,
    train_steps=60,
    visit_steps=300,
    variants=1,
    focus_variants=1,
    generations=10,
    population=4,
    polish_shapes=1,
    min_episodes=20,
    max_episodes=30,
)
STEADY = np.full(100, 500.0)


# The acceptance test


def test_the_bar_is_below_the_teacher_also_for_negative_returns() -> None:
    assert bar(np.array([100.0, 300.0]), 0.9) == pytest.approx(180)
    assert bar(np.array([-100.0, -300.0]), 0.9) == pytest.approx(-220)
    assert allowance(np.array([-100.0, -300.0]), 0.9) == pytest.approx(20)
    assert bar(STEADY, 1.0) == 500


def test_a_steady_teacher_is_compared_with_the_bar() -> None:
    verdict = judge(STEADY - 9, STEADY, 0.98)
    assert (verdict.rule, verdict.accepted) == ("unpaired", True)
    verdict = judge(STEADY - 11, STEADY, 0.98)
    assert (verdict.rule, verdict.accepted) == ("unpaired", False)
    assert "490" in verdict.reason


def test_a_good_mean_with_a_wide_interval_is_not_enough() -> None:
    lucky = np.where(np.arange(100) % 2, 0.0, 1000.0)
    assert lucky.mean() > bar(STEADY, 0.98)
    verdict = judge(lucky, STEADY, 0.98)
    assert not verdict.accepted
    assert verdict.lower < 490 < verdict.upper


def test_a_teacher_that_would_fail_itself_is_compared_in_pairs() -> None:
    rng = np.random.default_rng(0)
    teacher = rng.normal(100, 80, 60)
    same_luck, other_luck = teacher - 0.5, rng.normal(100, 80, 60)
    verdict = judge(same_luck, teacher, 0.98)
    assert (verdict.rule, verdict.accepted) == ("paired", True)
    assert verdict.upper < 0
    assert not judge(other_luck, teacher, 0.98).accepted
    assert not judge(teacher - 5, teacher, 0.98).accepted


def test_a_stricter_level_asks_for_more() -> None:
    student = np.random.default_rng(1).normal(500, 50, 100)
    strict, loose = judge(student, STEADY, 0.98, 0.999), judge(student, STEADY, 0.98, 0.8)
    assert strict.lower < loose.lower < loose.upper < strict.upper


def test_episodes_follow_the_spread_within_limits() -> None:
    settings = Settings(min_episodes=50, max_episodes=400)
    assert episodes_for(STEADY, settings) == 50
    assert episodes_for(np.zeros(10), settings) == 50
    rng = np.random.default_rng(0)
    some = episodes_for(rng.normal(500, 40, 100), settings)
    assert 50 < some < 400
    assert episodes_for(rng.normal(500, 400, 100), settings) == 400


@pytest.mark.parametrize("algorithm", [PoPS(), PoPS.paper()], ids=["default", "paper"])
def test_rows_of_data_are_another_algorithms_business(algorithm: Any) -> None:
    x = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    task = DatasetTask(x, (x[:, 0] > 0).astype(np.int64), name="rows")
    with pytest.raises(UnsupportedError, match=r"rows.*NEON or PuRL"):
        compress(redundant(), task, algorithm)


def test_every_test_has_episodes_of_its_own() -> None:
    asked: list[tuple[str, int, int]] = []

    @dataclass(frozen=True)
    class Watched(PolicyTask):
        def score(self, network: Any, split: Any, start: int, count: int) -> Any:
            asked.append((split, start, count))
            return super().score(network, split, start, count)

    problem = Problem(linear(), Watched("CartPole-v1", {"max_episode_steps": 100}))
    base = label(linear(), np.zeros((4, 4), np.float32))
    state = State("confirm", 100.0, np.full(20, 100.0), np.zeros(0), base)
    events: list[Event] = []
    for network in (linear(), linear(-1)):
        state = try_candidate(problem, TINY, state, events.append, network, "a name", "distilled")
    # The good one is tested twice, the bad one fails at once; no two tests share an episode.
    assert [(split, count) for split, _, count in asked] == [("accept", 20)] * 3
    starts = sorted(start for _, start, _ in asked)
    assert all(after - before >= 20 for before, after in itertools.pairwise(starts))
    assert [trial.values.size for trial in state.trials] == [40, 20]
    assert [trial.accepted for trial in state.trials] == [True, False]
    assert [trial.accepted for trial in accepted(state)] == [True]
    assert accepted(state, uses_reward=True) == []
    assert [event.accepted for event in events if isinstance(event, CandidateScored)] == [True, False]


# Settings


@pytest.mark.parametrize(
    "bad",
    [
        {"keep_return": 0},
        {"keep_return": 1.1},
        {"keep_return": float("nan")},
        {"min_episodes": 1},
        {"min_episodes": 10, "max_episodes": 9},
        {"rounds": 0},
        {"variants": 0},
        {"population": 3},
        {"train_steps": 0},
    ],
)
def test_bad_settings_are_named(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(bad))):
        PoPS(**bad)


def test_shapes_grow_along_the_ladders() -> None:
    assert parameters_of((), 4, 2) == 10
    assert parameters_of((3, 5), 4, 2) == 15 + 20 + 12
    smallest = [min(parameters_of(shape, 8, 4) for shape in ladder) for ladder in LADDERS]
    assert smallest == sorted(smallest)
    students = students_of(((), (3,)), ("sharp", "soft"), range(2, 4))
    assert len({student.name for student in students}) == len(students) == 2 * 2 + 2 * 2 * 2


# Whole runs


@pytest.fixture(autouse=True)
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_BASE_OBSERVATIONS", 2000), ("_EXPLORED_OBSERVATIONS", 500)):
        monkeypatch.setattr(pops, name, value)
    monkeypatch.setattr("rlcompress.algorithms.pops.judge._PILOT", 20)
    monkeypatch.setattr(polishing, "_SEARCH_STEPS", 1200)


@dataclass(frozen=True)
class Bare(PoPS):
    """Gives its last state, so that tests can compare it to the bit."""

    def finish(self, problem: Problem, state: State, emit: Emit) -> Any:
        return state


BARE = Bare(**asdict(TINY))


def driven(place: Place | None = None, budget: Budget | None = None, task: PolicyTask = TASK) -> Outcome[Any]:
    return drive(BARE, Problem(redundant(), task, seed=3, jobs=task.jobs), lambda event: None, place, budget)


@cache
def whole() -> Outcome[Any]:
    return driven()


def finished() -> Any:
    return TINY.finish(Problem(redundant(), TASK, seed=3), whole().output, lambda event: None)


def test_a_run_ends_with_a_small_accepted_network() -> None:
    result = finished()
    best = result.best_candidate
    assert best is not None
    assert best.accepted
    assert best.judged_on == "final"
    assert best.mean >= 98
    assert best.weights_bytes <= result.best_without_reward.weights_bytes < result.teacher.weights_bytes
    assert result.best_without_reward.uses_reward is False
    assert result.best is best.network
    assert result.teacher.judged_on == "final"
    assert result.teacher.mean == 100
    assert (result.algorithm, result.task, result.seed) == ("pops", "CartPole-v1", 3)
    accepted_sizes = [one.weights_bytes for one in result.candidates if one.accepted]
    assert best.weights_bytes == min(accepted_sizes)
    assert "CartPole-v1" in result.report()


def test_the_result_is_what_its_file_does() -> None:
    network = finished().best
    policy = Runtime(encode(network))
    assert policy.self_test() > 0
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    assert np.array_equal(policy(rows), Runtime(network)(rows))
    assert TASK.score(network, "screen", 500_000, 10).mean >= 90


def test_baselines_are_judged_apart() -> None:
    baselines = {one.method: one for one in finished().candidates if one.role == "baseline"}
    assert "one-shot pruning" in baselines
    assert all(one.accepted is None and one.judged_on == "final" for one in baselines.values())


def test_a_task_that_may_not_be_searched_gives_distilled_students_alone() -> None:
    task = replace(TASK, step_environment=False)
    result = compress(redundant(), task, replace(TINY, baselines=False), seed=3, jobs=1)
    assert result.best_candidate is not None
    assert not any(one.uses_reward for one in result.candidates)
    assert any("does not allow" in note for note in result.notes)


def test_a_teacher_that_cannot_be_made_smaller_is_quantised() -> None:
    result = compress(linear(), TASK, replace(TINY, polish=False), seed=0, jobs=1, max_steps=40)
    assert result.best_candidate is not None
    assert result.best_candidate.name == "teacher int8"
    assert not result.best_candidate.uses_reward
    assert result.best.widths == linear().widths


def bits(outcome: Outcome[Any]) -> bytes:
    return pack(outcome.output, State, {})


def test_a_run_stopped_and_resumed_ends_with_the_same_bits(tmp_path: Path) -> None:
    assert whole().reason == "done"
    place = Place(tmp_path, "mine")
    polishing = False
    for steps in (0, 1, 3, whole().steps // 2, whole().steps // 2 + 1, whole().steps - 3):
        outcome = driven(place, Budget(steps=steps))
        assert outcome.steps == steps
        polishing = polishing or outcome.output.polishing is not None
    assert polishing, "one of the stops should lie within a search"
    assert bits(driven(place)) == bits(whole())


def test_the_number_of_jobs_does_not_matter() -> None:
    budget = Budget(steps=3)
    assert bits(driven(budget=budget, task=replace(TASK, jobs=2))) == bits(driven(budget=budget))


def test_a_run_folder_is_resumed_without_naming_anything(tmp_path: Path) -> None:
    part = compress(redundant(), TASK, TINY, seed=3, jobs=1, run_dir=tmp_path, max_steps=4)
    assert any("ended early" in note for note in part.notes)
    result = resume(tmp_path, jobs=1)
    assert encode(result.best) == encode(finished().best)
    assert (tmp_path / "policy.rlc").read_bytes() == encode(result.best)
    for one, other in zip(result.candidates, finished().candidates, strict=True):
        assert np.array_equal(one.values, other.values)


def test_one_shot_pruning_keeps_the_largest_weights() -> None:
    pruned = one_shot_pruned(redundant(), 20)
    kept = np.concatenate([np.abs(layer.weight[layer.mask]) for layer in pruned.dense_layers()])
    gone = np.concatenate(
        [
            np.abs(whole.weight[~layer.mask])
            for layer, whole in zip(pruned.dense_layers(), redundant().dense_layers(), strict=True)
        ]
    )
    assert kept.size == 20
    assert kept.min() >= gone.max()


def test_a_candidate_with_a_wider_spread_is_tested_on_more_episodes() -> None:
    settings = PoPS(min_episodes=20, max_episodes=1000)
    teacher = np.tile([95.0, 105.0], 50)
    assert episodes_for(teacher, settings, np.tile([80.0, 120.0], 50)) > 10 * episodes_for(teacher, settings)


def test_the_second_test_knows_the_teacher_better() -> None:
    class Task:
        """The teacher earns 100 in the long run, the candidate 97."""

        def score(self, network: Any, split: str, start: int, count: int) -> Score:
            return Score(np.where(np.arange(count) % 2, 1.0, -1.0) + (100.0 if network is teacher else 97.0))

    teacher, candidate = linear(), linear(-1)
    problem: Any = Problem(teacher, Task(), 0, 1)  # type: ignore[arg-type]
    base = label(teacher, np.zeros((4, 4), np.float32))
    unlucky = np.where(np.arange(20) % 2, 97.0, 95.0)  # so that 97 seems enough
    settings = PoPS(min_episodes=20, max_episodes=1000)
    state = State("confirm", 100.0, unlucky, np.zeros(0), base)
    state = try_candidate(problem, settings, state, lambda event: None, candidate, "a name", "distilled")
    assert "again: lower bound" in state.trials[0].reason
    assert not state.trials[0].accepted
    assert state.teacher_again.size >= 20
