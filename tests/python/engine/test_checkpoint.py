from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rlcompress.engine.checkpoint import MAGIC, Checkpoint, load_checkpoint, pack, save_checkpoint, unpack
from rlcompress.errors import CheckpointError


@dataclass(frozen=True, eq=False)
class State:
    values: npt.NDArray[np.float32]


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint("mine", step, "search", {"search": 1.5}, State(np.full(3, step, np.float32)))


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def save(folder: Path, count: int) -> list[Path]:
    for step in range(count):
        save_checkpoint(folder, checkpoint(step), State)
    return sorted(folder.iterdir())


def test_two_generations_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "mine", State) is None
    assert [path.name for path in save(tmp_path, 5)] == ["checkpoint-00000003.bin", "checkpoint-00000004.bin"]
    loaded = load_checkpoint(tmp_path, "mine", State)
    assert loaded is not None
    assert loaded.damaged == ()
    assert (loaded.checkpoint.step, loaded.checkpoint.phase, loaded.checkpoint.seconds) == (
        4,
        "search",
        {"search": 1.5},
    )
    assert loaded.checkpoint.state.values.tolist() == [4, 4, 4]


def test_steps_beyond_eight_digits_stay_in_order(tmp_path: Path) -> None:
    for step in (99_999_999, 100_000_000):
        save_checkpoint(tmp_path, checkpoint(step), State)
    loaded = load_checkpoint(tmp_path, "mine", State)
    assert loaded is not None
    assert loaded.checkpoint.step == 100_000_000


@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path: Path, cut: bool) -> None:
    newest = save(tmp_path, 3)[-1]
    if cut:
        newest.write_bytes(newest.read_bytes()[:-1])
    else:
        damage(newest)
    loaded = load_checkpoint(tmp_path, "mine", State)
    assert loaded is not None
    assert loaded.checkpoint.step == 1
    assert loaded.damaged == (newest,)


def test_only_damaged_ones_are_an_error_that_names_them(tmp_path: Path) -> None:
    paths = save(tmp_path, 3)
    paths[0].write_bytes(b"")
    damage(paths[1])
    with pytest.raises(CheckpointError, match=r"checkpoint-00000002.bin.*checkpoint-00000001.bin.*damaged"):
        load_checkpoint(tmp_path, "mine", State)


def test_another_run_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"checkpoint-00000000.bin: belongs to another run"):
        load_checkpoint(tmp_path, "yours", State)


def test_unwritable_places_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot write .*checkpoint-00000001.bin"):
        save_checkpoint(tmp_path / "missing", checkpoint(1), State)


def test_a_full_disk_leaves_the_checkpoints_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in save(tmp_path, 2)}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(tmp_path, checkpoint(2), State)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def sealed(header: Any, blob: bytes = b"", version: int = 1) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = struct.pack("<8sIQ", MAGIC, version, len(text)) + text + blob
    return body + hashlib.sha256(body).digest()


TREE = {"$": "value", "type": "State", "fields": {"values": {"$": "array", "index": 0}}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sealed({}, version=2), "version 1 expected, found 2"),
        (sealed(b"{"), "malformed header"),
        (sealed([]), "malformed header"),
        (sealed({"about": {}, "tree": TREE}), "malformed header"),
        (sealed(b"[" * 100_000), "malformed header"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["object", [1]]]}, b"\0" * 8), "object"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float32", [-1]]]}), "float32"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float32", [1 << 62, 1 << 62]]]}), "beyond the end"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float32", [0, 1 << 80]]]}), "malformed header"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float32", [2]]]}, b"\0" * 4), "beyond the end"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float32", [1]]]}, b"\0" * 5), "1 bytes after"),
        (sealed({"about": {}, "tree": TREE, "arrays": [["float64", [1]]]}, b"\0" * 8), "values"),
        (sealed({"about": 3, "tree": TREE, "arrays": [["float32", [1]]]}, b"\0" * 4), "malformed header"),
    ],
)
def test_sealed_nonsense_is_an_error_message(data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        unpack(data, State)


@pytest.mark.parametrize("about", [{}, {"identity": "mine", "step": -1, "phase": "", "seconds": {}}, {"identity": 3}])
def test_malformed_facts_name_the_file(tmp_path: Path, about: dict[str, Any]) -> None:
    state = checkpoint(0).state
    (tmp_path / "checkpoint-00000000.bin").write_bytes(pack(state, State, about))
    with pytest.raises(CheckpointError, match=r"checkpoint-00000000.bin"):
        load_checkpoint(tmp_path, "mine", State)


def test_equal_states_are_equal_bytes() -> None:
    one, two = checkpoint(1), replace(checkpoint(1))
    assert pack(one.state, State, {"a": 1, "b": 2}) == pack(two.state, State, {"b": 2, "a": 1})
