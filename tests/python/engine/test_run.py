from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Toy, ToyTask, teacher

from rlcompress import artifact
from rlcompress.engine import registry, run_folder
from rlcompress.engine.events import Event, Note, Progress, RunStarted, StepFinished
from rlcompress.engine.run import compress, resume
from rlcompress.engine.run_folder import read_run
from rlcompress.engine.versions import versions
from rlcompress.errors import CheckpointError, InvalidValueError


def test_with_and_without_a_folder_the_result_is_the_same(tmp_path: Path) -> None:
    alone = compress(teacher(), ToyTask(), Toy(), seed=1)
    kept = compress(teacher(), ToyTask(), Toy(), seed=1, run_dir=tmp_path / "deep" / "run")
    assert alone.best == kept.best
    assert alone.best.metadata == kept.best.metadata
    assert alone.best != compress(teacher(), ToyTask(), Toy(), seed=2).best
    assert alone.notes == kept.notes == ()
    assert set(kept.seconds) == {"start", "search", "polish"}
    assert kept.settings == {
        "algorithm": {"steps": 6, "rate": 0.1, "pause": 0.0},
        "task": {"kind": "toy", "scale": 1.0},
    }
    assert kept.versions == versions()


def test_the_folder_holds_the_run(tmp_path: Path) -> None:
    result = compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    names = ["checkpoint-00000005.bin", "checkpoint-00000006.bin", "events.jsonl", "policy.rlc"]
    names += ["report.json", "report.md", "run.json", "teacher.bin", "teacher.rlc"]
    assert sorted({path.name for path in tmp_path.iterdir()} - {"report.png"}) == names  # no plot without matplotlib
    assert artifact.load(tmp_path / "policy.rlc").widths == result.best.widths
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["algorithm"], record["seed"], record["task"]) == ("toy", 0, {"kind": "toy", "scale": 1.0})
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines[:3]] == ["RunStarted", "PhaseStarted", "StepFinished"]
    assert lines[-2]["upper"] == "inf"
    assert lines[-1]["event"] == "RunFinished"


def test_compress_and_resume_continue_a_run(tmp_path: Path) -> None:
    whole = compress(teacher(), ToyTask(), Toy(), seed=1)
    part = compress(teacher(), ToyTask(), Toy(), seed=1, run_dir=tmp_path, max_steps=2)
    assert part.notes == ("ended early, out of steps after step 2: a longer run may find smaller networks",)
    assert resume(tmp_path, max_steps=4).notes[0].startswith("ended early, out of steps after step 4")
    events: list[Event] = []
    renamed = teacher().with_metadata(source="elsewhere")
    last = compress(renamed, ToyTask(), Toy(), seed=1, run_dir=tmp_path, on_event=events.append)
    assert events[0] == RunStarted("toy", "toy", resumed=True)
    assert [event.step for event in events if isinstance(event, StepFinished)] == [5, 6]
    assert last.best == whole.best
    assert last.best.metadata == whole.best.metadata
    assert last.notes == ()
    assert resume(tmp_path).best == whole.best
    assert (tmp_path / "policy.rlc").read_bytes() == artifact.encode(whole.best)


def test_ctrl_c_gives_the_partial_result(tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if event == Progress(4 / 6):
            raise KeyboardInterrupt

    result = compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, on_event=press)
    assert result.notes[0].startswith("ended early, interrupted after step 3")
    assert (tmp_path / "policy.rlc").read_bytes() == artifact.encode(result.best)
    assert resume(tmp_path).best == compress(teacher(), ToyTask(), Toy()).best


def test_the_masked_teacher_comes_back_whole(tmp_path: Path) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    found = run_folder.read_run(tmp_path)[1]
    assert found == teacher()
    assert found.layers[0].mask is not None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"seed": 1}, "seed"),
        ({"task": ToyTask(2.0)}, "task"),
        ({"algorithm": Toy(steps=7)}, "settings"),
        ({"teacher": teacher(1)}, "teacher"),
    ],
)
def test_another_run_in_the_folder_is_refused_and_left_alone(
    tmp_path: Path, changes: dict[str, Any], part: str
) -> None:
    arguments: dict[str, Any] = {"teacher": teacher(), "task": ToyTask(), "algorithm": Toy(), "run_dir": tmp_path}
    compress(**arguments)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=rf"holds another run \(differs in {part}\); choose another folder"):
        compress(**{**arguments, **changes})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_follows_a_run_is_kept_and_makes_no_other_run(tmp_path: Path) -> None:
    def kept() -> dict[str, Any]:
        read_run(tmp_path)  # its identity holds
        return dict(json.loads((tmp_path / "run.json").read_text())["following"])

    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, following={"epochs": 3}, max_steps=1)
    assert kept() == {"epochs": 3}
    resume(tmp_path, max_steps=2)
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, max_steps=2)
    assert kept() == {"epochs": 3}
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, following={"epochs": 0})
    assert kept() == {"epochs": 0}
    record = json.loads((tmp_path / "run.json").read_text())
    del record["following"]  # a folder of a version that did not know it
    (tmp_path / "run.json").write_text(json.dumps(record))
    resume(tmp_path)


def test_jobs_reach_the_task_and_do_not_make_another_run(tmp_path: Path) -> None:
    compress(teacher(), ToyTask(jobs=2), Toy(), run_dir=tmp_path, jobs=1)
    compress(teacher(), ToyTask(jobs=1), Toy(), run_dir=tmp_path, jobs=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teacher": "ppo.zip"},
            "teacher: a Network or one of .* found builtins.str; for a file use load_policy",
        ),
        ({"task": "CartPole-v1"}, "task: a Task"),
        ({"algorithm": "pops"}, "algorithm: a settings object"),
        ({"algorithm": Toy}, "algorithm: a settings object"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"jobs": 0}, "jobs"),
        ({"jobs": "2"}, "jobs: a whole number >= 1 expected, found '2'"),
        ({"max_steps": -1}, "max_steps"),
        ({"max_steps": 1.5}, "max_steps"),
        ({"max_seconds": 0}, "max_seconds"),
        ({"max_seconds": "60"}, "max_seconds: a value > 0 expected, found '60'"),
        ({"on_event": [3]}, "on_event"),
        ({"on_event": 3}, "on_event: a callable"),
    ],
)
def test_arguments_are_checked(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"teacher": teacher(), "task": ToyTask(), "algorithm": Toy()}
    with pytest.raises(InvalidValueError, match=message):
        compress(**{**arguments, **changes})


def test_what_an_algorithm_refuses_beforehand_leaves_no_folder(tmp_path: Path) -> None:
    class Refusing(Toy):
        def check(self, problem: Any) -> None:
            raise InvalidValueError(f"agent: refused for seed {problem.seed}")

    with pytest.raises(InvalidValueError, match="agent: refused for seed 3"):
        compress(teacher(), ToyTask(), Refusing(), seed=3, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    compress(teacher(), ToyTask(), Toy(), seed=3, run_dir=tmp_path / "run")


def test_a_teacher_that_does_not_fit_the_task_is_refused() -> None:
    layer = replace(teacher().dense_layers()[0], weight=np.ones((4, 2)), mask=None)
    network = type(teacher())((layer,))
    with pytest.raises(InvalidValueError, match="toy takes 3 inputs"):
        compress(network, ToyTask(), Toy())


def test_several_subscribers_hear_everything(tmp_path: Path) -> None:
    one: list[Event] = []
    two: list[Event] = []
    compress(teacher(), ToyTask(), Toy(), on_event=[one.append, two.append])
    assert one == two
    assert len(one) > 8


def test_resume_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no run to continue \(run.json is missing\)"):
        resume(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(CheckpointError, match="no run to continue"):
        resume(tmp_path)


def test_unregistered_parts_must_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    monkeypatch.delitem(registry.TASKS, "toy")
    with pytest.raises(CheckpointError, match=r"task 'toy': not registered \(known: dataset, policy\); give it"):
        resume(tmp_path)
    assert resume(tmp_path, task=ToyTask()).task == "toy"
    with pytest.raises(InvalidValueError, match=r"task: .*as the run began"):
        resume(tmp_path, task=ToyTask(3.0))
    monkeypatch.delitem(registry.ALGORITHMS, "toy")
    with pytest.raises(CheckpointError, match="algorithm 'toy': not registered"):
        resume(tmp_path, task=ToyTask())
    with pytest.raises(InvalidValueError, match=r"algorithm: toy .*as the run began"):
        resume(tmp_path, task=ToyTask(), algorithm=Toy(steps=1))
    assert resume(tmp_path, task=ToyTask(), algorithm=Toy()).algorithm == "toy"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"identity": 3}', '{"identity": "x", "seed": "0"}', "[" * 100_000]
)
def test_a_damaged_record_names_the_file(tmp_path: Path, text: str) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"run\.json: "):
        resume(tmp_path)


def test_an_edited_record_is_refused(tmp_path: Path) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    path = tmp_path / "run.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 9'))
    with pytest.raises(CheckpointError, match=r"run\.json: changed since it was written"):
        resume(tmp_path)


@pytest.mark.parametrize("data", [None, b"", b"RLCSTATE"])
def test_a_damaged_teacher_names_the_file(tmp_path: Path, data: bytes | None) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    path = tmp_path / "teacher.bin"
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"teacher\.bin: "):
        resume(tmp_path)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(CheckpointError, match="another process is running there"):
            compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)
    finally:
        os.close(descriptor)
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path)


def test_a_file_in_place_of_the_folder_is_an_error_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="choose another folder"):
        compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path / "file")


def test_other_versions_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "versions", lambda: {"numpy": "1.0"})
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, max_steps=1)
    monkeypatch.undo()
    registry_entries = {"toy": "toy:Toy"}, {"toy": "toy:ToyTask"}
    monkeypatch.setattr(registry, "ALGORITHMS", registry_entries[0])
    monkeypatch.setattr(registry, "TASKS", registry_entries[1])
    events: list[Event] = []
    resume(tmp_path, on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert notes[0].startswith("versions changed since the run began, so the result may differ: numpy 1.0 -> ")


def test_a_log_line_cut_by_a_kill_stays_a_line_of_its_own(tmp_path: Path) -> None:
    compress(teacher(), ToyTask(), Toy(), run_dir=tmp_path, max_steps=1)
    with (tmp_path / "events.jsonl").open("a") as log:
        log.write('{"event": "Cu')
    resume(tmp_path)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    at = lines.index('{"event": "Cu')
    assert all(json.loads(line) for index, line in enumerate(lines) if index != at)


def test_tasks_that_cannot_describe_themselves_are_refused() -> None:
    @dataclass(frozen=True)
    class Vague(ToyTask):
        def describe(self) -> dict[str, Any]:
            return {"thing": object()}

    with pytest.raises(InvalidValueError, match="describe"):
        compress(teacher(), Vague(), Toy())


def test_versions_name_what_the_numbers_depend_on() -> None:
    found = versions()
    assert {"rlcompress", "python", "numpy"} <= set(found)
    assert found["numpy"] == np.__version__


def test_registered_names_are_where_they_should_be() -> None:
    for table in (registry.ALGORITHMS, registry.TASKS):
        for entry in table.values():
            module, _, attribute = entry.partition(":")
            assert module
            assert attribute.isidentifier()
