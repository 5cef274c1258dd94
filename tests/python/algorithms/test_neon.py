from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver

import rlcompress as rlc
from rlcompress.errors import CheckpointError, FormatError, InvalidValueError, MissingFileError

torch = pytest.importorskip("torch")

from rlcompress.algorithms.neon import NEON  # noqa: E402  # torch first: the module needs it
from rlcompress.algorithms.neon.anatomy import dissect  # noqa: E402
from rlcompress.algorithms.neon.features import FEATURES, features  # noqa: E402
from rlcompress.algorithms.neon.menu import MENU, shapes_of  # noqa: E402
from rlcompress.algorithms.neon.narrowing import narrowed  # noqa: E402
from rlcompress.algorithms.neon.picking import load_agent, picker_of  # noqa: E402
from rlcompress.algorithms.neon.recording import load_table, record, save_table  # noqa: E402
from rlcompress.algorithms.neon.replay import Episode, other_tests, own_deal, play, random_deal  # noqa: E402
from rlcompress.algorithms.neon.rules import greedy  # noqa: E402
from rlcompress.problem import Problem  # noqa: E402
from rlcompress.runtime import Runtime  # noqa: E402

QUICK: dict[str, Any] = {"mode": "ladder", "moves": 2, "steps": 150}


def deep(hidden: tuple[int, ...] = (40, 30, 20), seed: int = 0, inputs: int = 8, outputs: int = 3) -> rlc.Network:
    """A random network of several layers: a teacher that is its own truth."""
    rng, widths = np.random.default_rng(seed), (inputs, *hidden, outputs)
    layers = tuple(
        rlc.Dense(
            (rng.standard_normal((rows, columns)) * (2 / columns) ** 0.5).astype(np.float32),
            0.1 * rng.standard_normal(rows).astype(np.float32),
            "relu" if level < len(hidden) else "identity",
        )
        for level, (columns, rows) in enumerate(pairwise(widths))
    )
    return rlc.Network(layers, rlc.Contract((inputs,), rlc.Argmax()))


@pytest.fixture(scope="module")
def task() -> rlc.DatasetTask:
    return rlc.DatasetTask(*labelled(3000), validation=0.5)


@pytest.fixture(scope="module")
def result(task: rlc.DatasetTask) -> Any:
    return rlc.compress(solver(hidden=120), task, NEON(max_drop=0.03, **QUICK), jobs=1)


def test_a_wide_network_gets_small_within_the_tolerance(result: Any) -> None:
    assert result.best_candidate is not None, result.notes
    assert result.ratio >= 5
    assert result.best.parameter_count * result.ratio == pytest.approx(result.teacher.network.parameter_count)
    assert result.teacher.mean - result.best_candidate.mean <= 0.03
    assert result.best_candidate.judged_on == "final"
    assert "narrowed:" in result.report()


def test_the_front_falls_with_size(result: Any) -> None:
    costs, scores = [p.cost for p in result.front], [p.score for p in result.front]
    assert all(before > after for values in (costs, scores) for before, after in pairwise(values))
    assert any(point.accepted for point in result.front)


def test_a_run_that_stops_and_goes_on_gives_the_same_bits(task: rlc.DatasetTask, result: Any, tmp_path: Path) -> None:
    settings = NEON(max_drop=0.03, **QUICK)
    rlc.compress(solver(hidden=120), task, settings, run_dir=tmp_path, jobs=1, max_steps=2)
    again = rlc.resume(tmp_path, task=task, jobs=1)
    assert again.best == result.best
    assert [c.mean for c in again.candidates] == [c.mean for c in result.candidates]
    names = {path.name for path in tmp_path.iterdir()}
    assert {"policy.rlc", "report.md", "front.md", "front.json"} <= names
    front = json.loads((tmp_path / "front.json").read_text())
    assert [point["name"] for point in front] == [point.name for point in result.front]


@pytest.mark.parametrize("keep", [{"keep_depth": True}, {"keep_inputs": True}])
def test_what_shall_stay_stays(task: rlc.DatasetTask, keep: dict[str, bool]) -> None:
    found = rlc.compress(deep(), task_of(deep()), NEON(max_drop=0.2, **keep, **QUICK), jobs=1)
    for candidate in found.candidates:
        assert not keep.get("keep_depth") or len(candidate.network.layers) == 4
        assert not keep.get("keep_inputs") or candidate.network.input_size == 8


def task_of(network: rlc.Network, rows: int = 2000, seed: int = 4) -> rlc.DatasetTask:
    x = np.random.default_rng(seed).standard_normal((rows, network.contract.input_size)).astype(np.float32)
    return rlc.DatasetTask(x, np.asarray(rlc.Runtime(network)(x)), validation=0.5)


def test_few_rows_prove_nothing_and_the_network_stays() -> None:
    network = solver(hidden=60)
    found = rlc.compress(network, task_of(network, rows=120), NEON(max_drop=0.0, **QUICK), jobs=1)
    assert found.best_candidate is None
    assert found.best == network
    assert "not narrowed" in found.notes[-1]
    assert "rows" in found.notes[-1]


def test_one_answer_for_all_rows_is_never_accepted() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 8)).astype(np.float32)
    y = (x[:, 0] > 2.2).astype(np.int64)  # 1.4 % of the rows
    layers = (
        rlc.Dense(np.eye(8, dtype=np.float32), np.zeros(8), "relu"),
        rlc.Dense(np.array([[0.0] * 8, [1.0, *[0.0] * 7]], np.float32), np.array([2.2, 0.0], np.float32)),
    )
    network = rlc.Network(layers, rlc.Contract((8,), rlc.Argmax()))
    found = rlc.compress(network, rlc.DatasetTask(x, y, validation=0.5), NEON(max_drop=0.1, **QUICK), jobs=1)
    answers = np.asarray(rlc.Runtime(found.best)(x))
    assert len(np.unique(answers)) == 2


def rare() -> tuple[rlc.Network, rlc.DatasetTask]:
    """A teacher that finds a class of 4 % of the rows, which depends on several inputs."""
    x = np.random.default_rng(0).standard_normal((8000, 8)).astype(np.float32)
    first = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 1, -1, 0, 0, 0, 0]], np.float32)
    last = np.array([[0, 0], [1, 1]], np.float32)
    layers = (
        rlc.Dense(np.tile(first, (20, 1)), np.zeros(40), "relu"),
        rlc.Dense(np.tile(last, (1, 20)) / 20, np.array([3.4, 0.0], np.float32)),
    )
    network = rlc.Network(layers, rlc.Contract((8,), rlc.Argmax()))
    return network, rlc.DatasetTask(x, np.asarray(rlc.Runtime(network)(x)), validation=0.5)


def test_a_rare_class_is_kept_unless_that_is_not_asked() -> None:
    network, rows = rare()
    drops = {}
    for even in ("kept", "ignored"):
        settings = NEON(max_drop=0.05, balanced=even, **QUICK)
        found = rlc.compress(network, rows, settings, jobs=1)
        drops[even] = found.balanced_drop
        assert found.best_candidate is not None or "balanced accuracy dropped" in found.notes[-1]
    assert drops["kept"] <= 0.05 < drops["ignored"]
    assert "balanced accuracy drops" in " ".join(found.notes)
    assert "'kept'" in " ".join(found.notes)


def test_values_are_narrowed_too() -> None:
    few = deep((4,), outputs=1).dense_layers()
    wide = rlc.Dense(np.tile(few[0].weight, (15, 1)), np.tile(few[0].bias, 15), "relu")
    network = rlc.Network((wide, rlc.Dense(np.tile(few[1].weight, 15) / 15, few[1].bias)), rlc.Contract((8,)))
    x = np.random.default_rng(1).standard_normal((4000, 8)).astype(np.float32)
    y = 50 + 20 * np.asarray(rlc.Runtime(network)(x))[:, 0]
    last = network.dense_layers()[-1]
    scaled = rlc.Dense(20 * last.weight, 20 * last.bias + 50)
    teacher = rlc.Network((network.layers[0], scaled), rlc.Contract((8,)))
    task = rlc.DatasetTask(x, y, metric="squared_error", validation=0.5)
    found = rlc.compress(teacher, task, NEON(max_drop=0.2, **QUICK), jobs=1)
    assert found.best_candidate is not None, found.notes
    assert found.best.parameter_count < teacher.parameter_count
    assert found.best_candidate.mean > 0.78


@pytest.mark.parametrize("hidden", [(2000,), (12,) * 8, ()])
def test_networks_outside_the_training_ranges(hidden: tuple[int, ...]) -> None:
    network = deep(hidden)
    found = rlc.compress(network, task_of(network, 600), NEON(mode="greedy", moves=1, steps=20), jobs=1)
    assert found.best.parameter_count <= network.parameter_count
    assert found.candidates or "not narrowed" in found.notes[-1]


def test_the_target_ends_the_shrinking(task: rlc.DatasetTask, result: Any) -> None:
    settings = NEON(max_drop=0.05, target=400.0, **QUICK)
    found = rlc.compress(solver(hidden=120), task, settings, jobs=1)
    assert found.best.parameter_count <= 400 or "target" in " ".join(found.notes)
    assert found.best.parameter_count >= result.best.parameter_count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_drop": 1.5}, "max_drop: a share"),
        ({"max_drop": float("nan")}, "max_drop"),
        ({"cost": "flops"}, "cost: one of 'parameters'"),
        ({"mode": "magic"}, "mode: one of"),
        ({"target": 0.0}, "target: a finite value > 0"),
        ({"moves": 0}, "moves: at least 1"),
        ({"z": 0.0}, "z: a value"),
        ({"balanced": True}, "balanced: one of 'kept', 'proven', 'ignored'"),
        ({"max_drop": "0.01"}, "max_drop: a number expected, found '0.01'"),
        ({"moves": 1.5}, "moves: a whole number expected, found 1.5"),
        ({"steps": True}, "steps: a whole number expected, found True"),
        ({"target": "100"}, "target: a number or None expected, found '100'"),
        ({"agent": 3}, "agent: text or None expected, found 3"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        NEON(**settings)


def test_a_network_of_another_width_and_a_task_without_rows_are_refused(task: rlc.DatasetTask) -> None:
    with pytest.raises(InvalidValueError, match="rows of 8 values, the network takes 5"):
        rlc.compress(deep(inputs=5), task, NEON(**QUICK), jobs=1)


def test_agents_of_other_shapes_and_missing_ones_are_refused(tmp_path: Path) -> None:
    deep().save(tmp_path / "other.rlc")
    with pytest.raises(InvalidValueError, match="neon-train"):
        picker_of(NEON(agent=str(tmp_path / "other.rlc")), 0)
    with pytest.raises(MissingFileError):
        picker_of(NEON(agent=str(tmp_path / "none.rlc")), 0)


def test_the_shipped_agent_is_small_and_says_what_made_it() -> None:
    agent = load_agent(None)
    assert agent.parameter_count <= 100_000
    assert agent.contract.input_size == FEATURES
    assert agent.metadata["kind"] == "neon agent"


def test_narrowing_without_loss_gives_the_same_answers() -> None:
    network = deep((12, 9))
    rows = np.random.default_rng(2).standard_normal((400, 8)).astype(np.float32)
    anatomy = dissect(network, rows)
    widths = [len(ranking.order) for ranking in anatomy.rankings]
    same = narrowed(network, anatomy, widths, 8)
    assert (np.asarray(rlc.Runtime(same)(rows)) == np.asarray(rlc.Runtime(network)(rows))).mean() > 0.97


def test_doubled_and_dead_neurons_are_found() -> None:
    network = deep((6,))
    first, last = network.dense_layers()
    weight = np.vstack([first.weight, first.weight, np.zeros_like(first.weight)])
    layers = (
        rlc.Dense(weight, np.concatenate([first.bias, first.bias, -np.ones(6, np.float32)]), "relu"),
        rlc.Dense(np.hstack([last.weight, last.weight, last.weight]), last.bias),
    )
    rows = np.random.default_rng(2).standard_normal((400, 8)).astype(np.float32)
    ranking = dissect(rlc.Network(layers, network.contract), rows).rankings[0]
    assert ranking.width(1e-4) <= 6
    assert len({index % 6 for index in ranking.order[:6]}) == 6
    assert ranking.order[:6].max() < 12


@pytest.fixture(scope="module")
def table() -> tuple[Any, Problem]:
    network = deep((30, 10))
    problem = Problem(network, task_of(network, 1600), 0)
    return record("made-0", problem, None, 60), problem


def test_a_replay_is_the_run(table: tuple[Any, Problem]) -> None:
    recorded, problem = table
    asked: Any = (
        ("ladder", "kept", 0.2),
        ("ladder", "kept", 0.5),
        ("greedy", "ignored", 0.2),
        ("greedy", "proven", 0.3),
    )
    for mode, even, drop in asked:
        settings = NEON(mode=mode, moves=3, steps=60, max_drop=drop, balanced=even)
        episode = Episode(own_deal(recorded), moves=3, max_drop=drop, balanced=even)
        best, made = play(episode, picker_of(settings, 0))
        found = rlc.compress(problem.teacher, problem.task, settings, jobs=1)
        assert (found.best_candidate is None) == (best is None)
        assert (even, drop) not in (("kept", 0.5), ("ignored", 0.2)) or best is not None
        if best is not None:
            assert found.best.parameter_count == recorded.parameters[best]
        assert len(found.candidates) == sum(int((recorded.move == move).sum()) for move in made)


def test_tables_survive_the_disk_and_damage_is_told(table: tuple[Any, Problem], tmp_path: Path) -> None:
    recorded, _ = table
    save_table(recorded, tmp_path / "one.npz")
    again = load_table(tmp_path / "one.npz")
    assert np.array_equal(again.right, recorded.right)
    assert again.facts[3].inputs == recorded.facts[3].inputs
    (tmp_path / "one.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:500])
    with pytest.raises(FormatError):
        load_table(tmp_path / "one.npz")


def test_sight_is_finite_and_knows_what_was_made(table: tuple[Any, Problem]) -> None:
    deal = random_deal(table[0], np.random.default_rng(0))
    for keep in (False, True):
        view = Episode(deal, keep_depth=keep, keep_inputs=keep).view((2, 5))
        sight = features(view)
        assert sight.shape == (len(MENU) + 1, FEATURES)
        assert np.isfinite(sight).all()
        assert not view.open[2]


def test_no_move_gives_a_student_as_large_as_its_teacher() -> None:
    network = deep((4,))
    anatomy = dissect(network, np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32))
    for move in MENU:
        for shape in shapes_of(move, network, anatomy, False, False):
            assert shape.parameters(3) < network.parameter_count


def test_a_rehearsal_ends_as_runs_do(table: tuple[Any, Problem]) -> None:
    from rlcompress.algorithms.neon.rehearsal import TELLING_ROWS, Rehearsal

    deals = other_tests(table[0], 3, np.random.default_rng(1))
    assert all(np.array_equal(one.choosing_drop, deals[0].choosing_drop) for one in deals)
    episodes = [Episode(one, moves=4, max_drop=0.02) for one in deals]
    rehearsal = Rehearsal(episodes[0], deals, move_price=0.0, over_price=0.0)
    ends = [play(episode, greedy) for episode in episodes]
    assert len({made for _, made in ends}) == 1
    gains = [episode.gain(best) for episode, (best, _) in zip(episodes, ends)]
    assert rehearsal.worth_of_going_on(()) == pytest.approx(np.mean(gains))
    dear = Rehearsal(episodes[0], deals, move_price=0.5, over_price=10.0)
    over = [
        0.0 if best is None or one.true_rows < TELLING_ROWS else max(0.0, float(one.true_drop[best]) - 0.02)
        for one, (best, _) in zip(deals, ends)
    ]
    paid = 0.5 * episodes[0].lengths[list(ends[0][1])].sum() + 10 * np.mean(over)
    assert dear.worth_of_going_on(()) == pytest.approx(np.mean(gains) - paid)


def test_an_agent_learns_what_is_worth_most(table: tuple[Any, Problem]) -> None:
    from rlcompress.algorithms.neon.learning import Learner, Learning
    from rlcompress.algorithms.neon.lessons import Teaching, lessons_of

    lessons = lessons_of(table[0], Teaching(episodes=12, splits=2, tests=2))
    states = np.arange(len(lessons))
    assert len(lessons) > 20
    assert np.isfinite(lessons.worths[states, lessons.rules]).all()
    learner = Learner(lessons, Learning(passes=200, members=2, width=16, entropy=0.01))
    over: list[float] = []
    learner.learn(200, lambda done, gain, share: over.append(gain))
    assert over[-1] > 0.5 * float(np.mean(np.nanmax(lessons.worths, 1) - lessons.worths[states, lessons.rules])) > 0
    scores = Runtime(learner.agent())(lessons.sights.reshape(-1, FEATURES)).reshape(lessons.worths.shape)
    chosen = np.where(np.isnan(lessons.worths), -np.inf, scores).argmax(1)
    assert float(np.mean(lessons.worths[states, chosen] - lessons.worths[states, lessons.rules])) == pytest.approx(
        over[-1], abs=1e-3
    )


def test_a_learner_goes_on_where_it_was(table: tuple[Any, Problem], tmp_path: Path) -> None:
    from rlcompress.algorithms.neon.learning import Learner, Learning
    from rlcompress.algorithms.neon.lessons import Teaching, lessons_of, together
    from rlcompress.algorithms.neon.training import read_learner, write_learner

    lessons = together([lessons_of(table[0], Teaching(episodes=4, splits=2, tests=2, seed=seed)) for seed in range(2)])
    settings = Learning(passes=4, members=2, width=16)
    whole, first = Learner(lessons, settings), Learner(lessons, settings)
    whole.learn(4, lambda *_: None)
    first.learn(2, lambda *_: None)
    write_learner(first, tmp_path / "learner.npz", {"names": ["made-0"], "over_rule": []})
    second = Learner(lessons, settings)
    read_learner(second, tmp_path / "learner.npz")
    second.learn(4, lambda *_: None)
    assert second.agent() == whole.agent()
    (tmp_path / "learner.npz").write_bytes(b"no")
    with pytest.raises(CheckpointError):
        read_learner(second, tmp_path / "learner.npz")
