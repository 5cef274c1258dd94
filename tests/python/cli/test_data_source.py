"""What the verbs on data read: kinds of targets, labels, files of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver
from click.testing import CliRunner

import rlcompress as rlc
from rlcompress.cli import main
from rlcompress.cli.data_source import load_network
from rlcompress.contract import Raw
from rlcompress.errors import ImportFormatError
from rlcompress.layers import Dense
from rlcompress.network import Network

torch = pytest.importorskip("torch")
nn = torch.nn


def neon(folder: Path, model: Path, *more: str) -> Any:
    quick = ["--moves", "1", "--steps", "5", "--jobs", "1", "--max-drop", "0.9", "--json", "--out", str(folder / "run")]
    return CliRunner().invoke(main, ["neon", "--model", str(model), "--data", str(folder / "rows.csv"), *quick, *more])


def table(folder: Path, x: Any, y: Any) -> None:
    lines = [",".join([*(f"{value:.5f}" for value in row), str(label)]) for row, label in zip(x, y)]
    (folder / "rows.csv").write_text("\n".join(["a,b,c,d,e,f,g,h,target", *lines]) + "\n")


def one_output(folder: Path) -> Path:
    net = solver()
    last = Dense(net.layers[-1].weight[:1], net.layers[-1].bias[:1])  # type: ignore[attr-defined]
    Network((net.layers[0], last), rlc.Contract((8,), Raw())).save(folder / "net.rlc")
    return folder / "net.rlc"


def test_labels_of_the_file_meet_the_networks_own(tmp_path: Path) -> None:
    x, y = labelled(600)
    kept = y != 1
    table(tmp_path, x[kept], np.array(["cat", "dog", "eel"])[y[kept]])
    solver().with_metadata(classes=["cat", "dog", "eel"]).save(tmp_path / "net.rlc")
    done = neon(tmp_path, tmp_path / "net.rlc")
    assert done.exit_code == 0, done.output
    assert rlc.resume(tmp_path / "run").teacher.mean > 0.9
    solver().save(tmp_path / "bare.rlc")
    bare = neon(tmp_path, tmp_path / "bare.rlc", "--out", str(tmp_path / "bare"))
    assert (bare.exit_code, "--classes a,b,c" in bare.stderr) == (2, True)
    told = neon(tmp_path, tmp_path / "bare.rlc", "--out", str(tmp_path / "told"), "--classes", "cat,dog,eel")
    assert told.exit_code == 0, told.output


def test_classes_from_one_need_no_python(tmp_path: Path) -> None:
    x, y = labelled(600)
    table(tmp_path, x, y + 1)
    solver().save(tmp_path / "net.rlc")
    done = neon(tmp_path, tmp_path / "net.rlc")
    assert done.exit_code == 0, done.output
    assert rlc.resume(tmp_path / "run").teacher.mean > 0.9


def test_a_network_of_one_output_takes_whole_numbers_as_values(tmp_path: Path) -> None:
    x, _ = labelled(600)
    table(tmp_path, x, (100 + 20 * x[:, 0]).round().astype(int))
    done = neon(tmp_path, one_output(tmp_path))
    assert done.exit_code == 0, done.output
    assert rlc.resume(tmp_path / "run").settings["task"]["metric"] == "squared_error"


def test_two_classes_and_one_output(tmp_path: Path) -> None:
    x, _ = labelled(600)
    model = one_output(tmp_path)
    table(tmp_path, x, np.asarray(rlc.Runtime(rlc.load(model))(x)).ravel() > 0)
    done = neon(tmp_path, model)
    assert done.exit_code == 0, done.output
    assert rlc.resume(tmp_path / "run").teacher.mean > 0.9
    table(tmp_path, x, (x[:, 0] > 0).astype(int))
    asked = neon(tmp_path, model)
    assert (asked.exit_code, "--kind classes" in asked.stderr) == (2, True)


def test_layers_without_bias(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    torch.save(module.state_dict(), tmp_path / "net.pt")
    network = load_network(tmp_path / "net.pt", "relu")
    assert network.widths == (4, 3, 2)
    assert not network.dense_layers()[0].bias.any()


def test_rows_of_another_width_are_told_alike_for_every_file(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(20, 3), nn.ReLU(), nn.Linear(3, 3))
    torch.save(module.state_dict(), tmp_path / "net.pt")
    table(tmp_path, *labelled(200))
    done = neon(tmp_path, tmp_path / "net.pt")
    assert (done.exit_code, "rows of 8 values, the network takes 20" in done.stderr) == (2, True), done.output


@pytest.mark.parametrize(
    ("name", "match"),
    [("net.joblib", r"save the model from Python"), ("whole.pt", "whole module"), ("norm.pt", "batch normalisation")],
)
def test_other_files_are_told_the_way_in(tmp_path: Path, name: str, match: str) -> None:
    path = tmp_path / name
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    if name == "net.joblib":
        path.write_bytes(b"pickle")
    else:
        torch.save(module if name == "whole.pt" else module.state_dict(), path)
    with pytest.raises(ImportFormatError, match=match) as caught:
        load_network(path, "relu")
    assert "rlcompress.load_policy(" in str(caught.value)
