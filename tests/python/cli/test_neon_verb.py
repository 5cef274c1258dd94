from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver
from click.testing import CliRunner

import rlcompress as rlc
from rlcompress.cli import main

pytest.importorskip("torch")


def test_a_run_leaves_policy_front_and_reports(tmp_path: Path) -> None:
    solver(hidden=100).save(tmp_path / "net.rlc")
    x, y = labelled(3000)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    arguments = ["--model", str(tmp_path / "net.rlc"), "--data", str(tmp_path / "rows.npz"), "--max-drop", "0.05"]
    quick = ["--moves", "2", "--steps", "100", "--jobs", "1", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, ["neon", *arguments, *quick])
    assert done.exit_code == 0, done.output
    assert "narrowed:" in done.stdout
    assert rlc.load(tmp_path / "run" / "policy.rlc").parameter_count < solver(hidden=100).parameter_count
    assert {"front.md", "front.json", "report.md"} <= {path.name for path in (tmp_path / "run").iterdir()}
    again = CliRunner().invoke(main, ["resume", str(tmp_path / "run"), "--json"])
    assert again.exit_code == 0, again.output


def test_the_published_algorithm_runs_on_the_same_files(tmp_path: Path) -> None:
    solver(hidden=30).save(tmp_path / "net.rlc")
    x, y = labelled(600)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    arguments = ["--model", str(tmp_path / "net.rlc"), "--data", str(tmp_path / "rows.npz"), "--tolerance", "50"]
    quick = ["--episodes", "1", "--passes", "1", "--epochs", "2", "--jobs", "1", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, ["neon-paper", *arguments, *quick])
    assert done.exit_code in (0, 1), done.output  # 1: the agent kept every width, or lost too much
    assert (tmp_path / "run" / "report.md").exists()


def test_an_agent_is_trained_and_used(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(2):
        x, y = labelled(300, seed=index)
        rows = [",".join([*(f"{value:.4f}" for value in row), str(label)]) for row, label in zip(x, y)]
        (folder / f"set{index}.csv").write_text("\n".join(["a,b,c,d,e,f,g,h,target", *rows]) + "\n")
    out = tmp_path / "agent.rlc"
    arguments = ["--data-dir", str(folder), "--out", str(out), "--networks", "1", "--passes", "2", "--jobs", "1"]
    done = CliRunner().invoke(main, ["neon-train", *arguments, "--steps", "5"])
    assert done.exit_code == 0, done.output
    agent = rlc.load(out)
    assert agent.metadata["data"] == ["set0-0", "set1-0"]
    again = CliRunner().invoke(main, ["neon-train", *arguments, "--steps", "5"])
    assert again.exit_code == 0, again.output
    assert rlc.load(out) == agent
    settings = rlc.NEON(agent=str(out), moves=2, steps=20, max_drop=0.2)
    found = rlc.compress(solver(hidden=40), rlc.DatasetTask(*labelled(800), validation=0.5), settings, jobs=1)
    assert found.best.parameter_count <= solver(hidden=40).parameter_count
