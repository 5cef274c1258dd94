from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import rlcompress
from rlcompress.cli import main
from rlcompress.cli.exits import FAILED, INTERRUPTED
from rlcompress.cli.outcome import Watch
from rlcompress.contract import Argmax, Contract
from rlcompress.engine.events import StepFinished
from rlcompress.layers import Dense
from rlcompress.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A network as `.rlc` and as state dict, and rows that it labels."""
    rng = np.random.default_rng(0)
    layers = (
        Dense(rng.standard_normal((10, 6)).astype(np.float32), rng.standard_normal(10).astype(np.float32), "relu"),
        Dense(rng.standard_normal((3, 10)).astype(np.float32), rng.standard_normal(3).astype(np.float32)),
    )
    network = Network(layers, Contract((6,), Argmax()))
    network.save(tmp_path / "net.rlc")
    state = {
        f"{2 * at}.{part}": torch.tensor(getattr(layer, part))
        for at, layer in enumerate(layers)
        for part in ("weight", "bias")
    }
    torch.save(state, tmp_path / "net.pt")
    x = rng.standard_normal((1200, 6)).astype(np.float32)
    y = np.asarray(rlcompress.Runtime(network)(x))
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    return tmp_path / "net.rlc", tmp_path / "net.pt", tmp_path / "rows.npz"


def run(model: Path, data: Path, out: Path, *more: str) -> Result:
    quick = ["--evaluations", "30", "--target-sparsity", "0.6", "--pareto", "2", "--jobs", "1"]
    arguments = ["purl", "--model", str(model), "--data", str(data), "--out", str(out), *quick, *more]
    return CliRunner().invoke(main, arguments)


def test_a_run_leaves_policy_plan_and_reports(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, state, data = files
    done = run(model, data, tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "pruned, weights as they were: " in done.stdout
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"policy.rlc", "plan.json", "pruning.md", "pruning.json", "report.json", "run.json"} <= names
    found = json.loads((tmp_path / "run" / "pruning.json").read_text())
    assert found["best"]["sparsity"] >= 0.6
    again = CliRunner().invoke(main, ["resume", str(tmp_path / "run"), "--json"])
    assert again.exit_code == 0, again.output
    other = run(state, data, tmp_path / "from-state")
    assert other.exit_code == 0, other.output
    plans = [json.loads((tmp_path / name / "plan.json").read_text()) for name in ("run", "from-state")]
    assert [layer["kept"] for layer in plans[0]["layers"]] == [layer["kept"] for layer in plans[1]["layers"]]


def test_fine_tuning_leaves_a_second_network(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, data = files
    done = run(model, data, tmp_path / "run", "--finetune-epochs", "2")
    assert done.exit_code == 0, done.output
    pruned, tuned = (rlcompress.load(tmp_path / "run" / name) for name in ("policy.rlc", "policy-tuned.rlc"))
    assert tuned.parameter_count == pruned.parameter_count
    assert str(tmp_path / "run" / "policy-tuned.rlc") in done.stderr.split("wrote ")[1]
    reports = [
        (tmp_path / "run" / name).read_text() for name in ("report.md", "report.json", "pruning.md", "pruning.json")
    ]
    for told in (done.stdout, *reports):
        assert "policy-tuned.rlc: final score " in " ".join(told.split())


def test_resume_fine_tunes_as_the_run_was_to(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, data = files
    wanted = ["--finetune-epochs", "2", "--target-sparsity", "0.8"]
    whole = run(model, data, tmp_path / "whole", *wanted)
    stopped = run(model, data, tmp_path / "run", *wanted, "--max-steps", "1")
    assert whole.exit_code == stopped.exit_code == 0, whole.output + stopped.output
    assert json.loads((tmp_path / "run" / "run.json").read_text())["following"] == {"finetune_epochs": 2}
    again = CliRunner().invoke(main, ["resume", str(tmp_path / "run"), "--jobs", "1"])
    assert again.exit_code == 0, again.output
    for name in ("policy.rlc", "policy-tuned.rlc"):
        first, second = (rlcompress.load(tmp_path / folder / name) for folder in ("whole", "run"))
        assert first == second, name


def test_an_interrupted_search_is_not_fine_tuned(
    files: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _, data = files
    folder, tuned = tmp_path / "run", tmp_path / "run" / "policy-tuned.rlc"
    wanted = ["--finetune-epochs", "1", "--target-sparsity", "0.8"]
    assert run(model, data, folder, *wanted, "--max-steps", "1").exit_code == 0
    assert tuned.exists()
    plain = Watch.__call__

    def interrupt(self: Watch, event: Any) -> None:
        plain(self, event)
        if isinstance(event, StepFinished):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Watch, "__call__", interrupt)
        assert CliRunner().invoke(main, ["resume", str(folder)]).exit_code == INTERRUPTED
    assert not tuned.exists()  # it was that of an earlier plan
    assert CliRunner().invoke(main, ["resume", str(folder)]).exit_code == 0
    assert tuned.exists()


def test_what_follows_a_run_must_be_epochs(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, data = files
    assert run(model, data, tmp_path / "run").exit_code == 0
    assert not (tmp_path / "run" / "policy-tuned.rlc").exists()
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"finetune_epochs": 0', '"finetune_epochs": "many"'))
    bad = CliRunner().invoke(main, ["resume", str(tmp_path / "run")])
    assert bad.exit_code == 2
    assert "finetune_epochs: a whole number" in bad.stderr


@pytest.mark.parametrize("name", ["net.pt2", "net.torchscript"])
def test_files_that_can_run_code_are_refused(files: tuple[Path, Path, Path], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    done = run(tmp_path / name, files[2], tmp_path / "run")
    assert done.exit_code == 2
    assert "can run code" in done.stderr


@pytest.mark.parametrize(
    "state",
    [
        {"conv.weight": (4, 1, 3, 3), "conv.bias": (4,)},
        {"0.weight": (4, 6), "0.bias": (4,), "norm.running_mean": (4,)},
        {"0.weight": (4, 6), "norm.weight": (4,)},
    ],
)
def test_a_state_dict_of_something_else_is_refused(
    files: tuple[Path, Path, Path], tmp_path: Path, state: dict[str, Any]
) -> None:
    torch.save({key: torch.zeros(shape) for key, shape in state.items()}, tmp_path / "odd.pt")
    done = run(tmp_path / "odd.pt", files[2], tmp_path / "run")
    assert done.exit_code == 2, done.output
    assert "odd.pt" in done.stderr


def test_rows_of_another_width_are_refused(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", x=np.zeros((100, 4), np.float32), y=np.arange(100) % 3)
    done = run(files[0], tmp_path / "odd.npz", tmp_path / "run")
    assert done.exit_code == 2
    assert "rows of 4 values" in done.stderr


def test_starts_are_names_with_commas(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, data = files
    bad = run(model, data, tmp_path / "bad", "--starts", "lamp,foo")
    assert bad.exit_code == 2
    assert "'foo'" in bad.stderr
    done = run(model, data, tmp_path / "run", "--starts", "lamp, erk", "--max-seconds", "0.001")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["starts"] == ["lamp", "erk"], done.output


def test_a_sparsity_that_is_out_of_reach_fails(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, data = files
    done = run(model, data, tmp_path / "run", "--target-sparsity", "0.9999")
    assert done.exit_code == FAILED
    assert "sparsity not met" in done.stdout
    told = json.loads((tmp_path / "run" / "report.json").read_text())
    assert told["accepted"] is told["best"]["accepted"] is False
    assert CliRunner().invoke(main, ["resume", str(tmp_path / "run")]).exit_code == FAILED
