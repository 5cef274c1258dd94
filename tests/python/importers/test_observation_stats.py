from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Normalisation
from rlcompress.errors import ImportFormatError
from rlcompress.importers import read_observation_stats

MEAN, VAR = [1.0, -2.0], [4.0, 0.25]


def test_every_form_gives_the_same(tmp_path: Path) -> None:
    wanted = Normalisation(np.array(MEAN), np.sqrt(np.array(VAR) + 1e-8), 10.0)
    entries: dict[str, Any] = {"mean": MEAN, "var": VAR, "clip": 10.0}
    (tmp_path / "s.json").write_text(json.dumps(entries))
    np.savez(tmp_path / "s.npz", **entries)
    np.savez_compressed(tmp_path / "c.npz", **entries)
    for source in (wanted, entries, tmp_path / "s.json", str(tmp_path / "s.npz"), tmp_path / "c.npz"):
        assert read_observation_stats(source) == wanted


def test_scale_epsilon_and_defaults() -> None:
    found = read_observation_stats({"mean": [[1], [2]], "scale": [[3], [4]]})
    assert found == Normalisation(np.array([1, 2]), np.array([3, 4]))
    assert read_observation_stats({"mean": [0], "var": [0], "epsilon": 4}).scale[0] == 2


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({}, "mean and one of"),
        ({"mean": [0]}, "mean and one of"),
        ({"mean": [0], "var": [1], "scale": [1]}, "mean and one of"),
        ({"mean": [0], "var": [1], "std": [1]}, "found std"),
        ({"mean": [0], "var": [1, 2]}, "one shape"),
        ({"mean": [0], "scale": [1, 2]}, "one shape"),
        ({"mean": [0], "scale": [0]}, "> 0"),
        ({"mean": [0], "var": [-1]}, "variances"),
        ({"mean": ["x"], "var": [1]}, "numbers"),
        ({"mean": None, "var": [1]}, "one shape|numbers"),
        ({"mean": [0], "var": [1], "clip": 0}, "clip"),
        ({"mean": [0], "var": [1], "clip": "wide"}, "numbers"),
        ({"mean": [float("nan")], "scale": [1]}, "finite"),
    ],
)
def test_entries_that_make_no_sense(entries: dict[str, Any], match: str) -> None:
    with pytest.raises(ImportFormatError, match=match):
        read_observation_stats(entries)


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, "{}"])
def test_damaged_json(content: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(ImportFormatError):
        read_observation_stats(path)


def test_hostile_npz(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    np.savez(path, mean=np.array([{}], object), var=np.ones(1))
    with pytest.raises(ImportFormatError, match="numbers expected"):
        read_observation_stats(path)
    header = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,)}   \n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mean.npy", header)
    with pytest.raises(ImportFormatError, match="not a readable array"):
        read_observation_stats(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ImportFormatError, match="zip"):
        read_observation_stats(path)


def test_unknown_suffix_points_to_vecnormalize(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="vecnormalize"):
        read_observation_stats(tmp_path / "v.pkl")
