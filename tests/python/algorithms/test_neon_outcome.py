"""What a NEON run hands back: metadata, front, notes, costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from algorithms.purl_nets import labelled, solver

import rlcompress as rlc
from rlcompress.engine.result import Result
from rlcompress.errors import RlcompressError

pytest.importorskip("torch")

from rlcompress.algorithms.neon import NEON, NEONResult, paid, scene
from rlcompress.algorithms.neon.front import FrontPoint, front_of
from rlcompress.algorithms.purl.outcome import PuRLResult

QUICK: dict[str, Any] = {"mode": "ladder", "moves": 2, "steps": 100, "max_drop": 0.05}


@pytest.fixture(scope="module")
def task() -> rlc.DatasetTask:
    return rlc.DatasetTask(*labelled(2000), validation=0.5)


def run(task: rlc.DatasetTask, max_steps: int | None = None, **settings: Any) -> Any:
    teacher = solver(hidden=80).with_metadata(classes=["cat", "dog", "eel"], score=0.5, seed=9)
    return rlc.compress(teacher, task, NEON(**{**QUICK, **settings}), jobs=1, max_steps=max_steps)


@pytest.fixture(scope="module")
def result(task: rlc.DatasetTask) -> Any:
    return run(task)


def test_a_result_in_a_prompt_is_one_line(result: Any) -> None:
    size = result.best_candidate.weights_bytes
    assert (
        repr(result) == f"<NEONResult: neon on dataset, seed 0, best {result.best_candidate.name!r} of {size:,} bytes>"
    )
    assert repr(replace(result, best_candidate=None)).endswith("nothing accepted>")


def test_every_result_has_the_same_short_repr() -> None:
    assert NEONResult.__repr__ is PuRLResult.__repr__ is Result.__repr__


def test_names_of_classes_stay_and_figures_of_the_teacher_do_not(result: Any) -> None:
    assert result.best.metadata["classes"] == ["cat", "dog", "eel"]
    assert result.best.metadata["score"] == result.best_candidate.mean
    others = [candidate.network for candidate in result.candidates if candidate is not result.best_candidate]
    for network in (*others, *(point.network for point in result.front)):
        assert network.metadata["classes"] == ["cat", "dog", "eel"]
        assert network is result.best or network is result.teacher.network or "score" not in network.metadata


def test_no_network_on_the_front_is_beaten_and_the_best_is_on_it_or_beaten_by_one(result: Any) -> None:
    points = [FrontPoint(c.name, c.network, c.parameters, c.values.mean(), None, None, None)
              for c in result.candidates if c.judged_on == "screen"]  # fmt: skip
    for point in result.front:
        assert not any(one.cost <= point.cost and one.score > point.score for one in (*points, result.as_it_was))
    assert result.best_candidate.name in [point.name for point in result.front] or any(
        point.cost <= result.best.parameter_count for point in result.front
    )


def test_a_front_leaves_out_what_is_beaten_and_of_equals_keeps_the_accepted_one(result: Any) -> None:
    def point(name: str, cost: float, score: float, accepted: bool | None = None) -> FrontPoint:
        return FrontPoint(name, result.best, cost, score, None, None, accepted)

    given = [point("teacher", 9, 0.8), point("a", 5, 0.8), point("b", 3, 0.7), point("c", 4, 0.7, True),
             point("d", 1, 0.5), point("e", 1, 0.5, True), point("f", 2, 0.4)]  # fmt: skip
    assert [one.name for one in front_of(given)] == ["a", "b", "e"]


def test_a_run_cut_short_says_that_nothing_was_tested(task: rlc.DatasetTask) -> None:
    notes = " ".join(run(task, max_steps=1).notes)
    assert "the run ended before any of" in notes
    assert "no student had a chance" not in notes


@pytest.mark.parametrize("algorithm", [NEON, NEON.paper])
def test_a_wrong_path_of_an_agent_leaves_the_run_folder_free(
    task: rlc.DatasetTask, tmp_path: Path, algorithm: Any
) -> None:
    with pytest.raises(RlcompressError, match=r"none\.rlc"):
        rlc.compress(solver(), task, algorithm(agent=str(tmp_path / "none.rlc")), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_target_above_the_networks_own_cost_is_told_and_nothing_is_trained(task: rlc.DatasetTask) -> None:
    found = run(task, target=10_000)
    assert not found.candidates
    assert "it already costs less than the target, 963 against 10,000 parameters" in found.notes[0]
    assert found.teacher.judged_on == "final"


def test_a_target_missed_is_told_where_nothing_was_accepted_too(task: rlc.DatasetTask) -> None:
    found = run(task, target=10, max_drop=0.0, moves=1, steps=5)
    assert found.best_candidate is None
    assert "the target of 10 parameters was not reached within the tolerance" in found.notes


def test_microseconds_are_those_of_teacher_and_best_timed_side_by_side(
    task: rlc.DatasetTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = iter(range(1, 1000))

    def drifting(networks: Any, rounds: int = 60) -> list[float]:
        """A machine that gets slower from one measurement to the next, by the same factor for all in it."""
        factor = next(speeds)
        return [factor * network.parameter_count / 100 for network in networks]

    monkeypatch.setattr(scene, "inferences_us", drifting)
    monkeypatch.setattr(paid, "inferences_us", drifting)
    found, sized = run(task, cost="latency_us"), run(task)
    assert found.best_candidate is not None, found.notes
    assert found.best == sized.best
    assert found.ratio == pytest.approx(sized.ratio)
    assert found.ratio == found.teacher.latency_us / found.best_candidate.latency_us
    costs = {point.name: point.cost for point in found.front}
    assert costs.get(found.best_candidate.name, found.best_candidate.latency_us) == found.best_candidate.latency_us
    assert found.as_it_was.cost == found.teacher.latency_us
