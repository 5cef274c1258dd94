from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.errors import ImportFormatError, MissingExtraError, MissingFileError, RlcompressError, UnsupportedError
from rlcompress.importers import bounded_zip, load_policy, sb3_archive, torch_state

torch = pytest.importorskip("torch")
Rebuild = Callable[..., Path]


def refused(path: Path, match: str = ".") -> None:
    with pytest.raises(ImportFormatError, match=match) as caught:
        load_policy(path)
    assert str(path) in str(caught.value)  # the message names the file


def saved(state: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty"),
        (b"PK", "zip"),
        (b"not a zip at all" * 100, "zip"),
        (b"PK\x05\x06" + b"\0" * 18, "'data' is missing"),
        (b"PK\x05\x06" + b"\xff" * 18, "zip"),
    ],
)
def test_files_that_are_no_zip(content: bytes, match: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    refused(path, match)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.zip"):
        load_policy(tmp_path / "gone.zip")
    (tmp_path / "folder.zip").mkdir()
    refused(tmp_path / "folder.zip", "not a regular file|cannot be read")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.zip")
        refused(tmp_path / "pipe.zip", "not a regular file")
        (tmp_path / "zero.zip").symlink_to("/dev/zero")
        refused(tmp_path / "zero.zip", "not a regular file")
    with pytest.raises(ImportFormatError):
        load_policy("nul\0.zip")


def test_truncated_anywhere(plain_zip: Path, tmp_path: Path) -> None:
    content, path = plain_zip.read_bytes(), tmp_path / "cut.zip"
    for length in range(1, len(content), len(content) // 60):
        path.write_bytes(content[:length])
        refused(path)


def test_flipped_bits_are_an_error_or_change_nothing(plain_zip: Path, tmp_path: Path) -> None:
    content, path = plain_zip.read_bytes(), tmp_path / "flip.zip"
    whole, rng, refusals = load_policy(plain_zip), np.random.default_rng(0), 0
    for at in rng.integers(0, len(content), 1000):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            assert load_policy(path) == whole
        except RlcompressError:
            refusals += 1
    assert refusals > 200


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "\\\\host\\x", "C:\\x", "a\\..\\b", "./../x"])
def test_names_that_leave_the_archive(name: str, rebuild: Rebuild) -> None:
    refused(rebuild(members={name: b"x"}), "leaves the archive")


@pytest.mark.parametrize("member", ["data", "policy.pth"])
def test_missing_members(member: str, rebuild: Rebuild) -> None:
    refused(rebuild(members={member: None}), f"'{member}' is missing")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_members(plain_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    path.write_bytes(plain_zip.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data", b"{}")
    refused(path, "twice")


def test_too_many_members(rebuild: Rebuild) -> None:
    refused(rebuild(members={f"m{i}": b"" for i in range(100)}), "members found")


def test_symbolic_links(plain_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "link.zip"
    path.write_bytes(plain_zip.read_bytes())
    info = zipfile.ZipInfo("extra")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(path, "symbolic link")


def patched_listing(path: Path, member: str, offset: int, value: bytes) -> Path:
    """Overwrite bytes of a member's central directory entry."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(member.encode()))
    content[at + offset : at + offset + len(value)] = value
    path.write_bytes(content)
    return path


def test_encrypted_members(rebuild: Rebuild) -> None:
    refused(patched_listing(rebuild(), "policy.pth", 8, b"\x01"), "encrypted")


def test_unknown_packing(rebuild: Rebuild) -> None:
    refused(patched_listing(rebuild(), "policy.pth", 10, b"\x0c\x00"), "packed by method 12")


def test_wrong_checksum(rebuild: Rebuild) -> None:
    refused(patched_listing(rebuild(), "data", 16, b"\x01\x02\x03\x04"), "damaged")


def test_declared_size_beyond_the_limit(rebuild: Rebuild) -> None:
    refused(patched_listing(rebuild(), "data", 24, struct.pack("<I", 1 << 30)), "declares 1073741824 bytes")


def test_declared_size_below_the_real_one(rebuild: Rebuild) -> None:
    path = rebuild(members={"data": b"{" + b" " * 300_000 + b"}"}, compression=8)
    refused(patched_listing(path, "data", 24, struct.pack("<I", 1000)), "damaged|other than")


def test_zip_bomb(rebuild: Rebuild) -> None:
    refused(rebuild(members={"data": b" " * 20_000_000}, compression=8), "bomb")
    refused(rebuild(members={"policy.pth": bytes(20_000_000)}, compression=8), "bomb")


def test_bomb_inside_the_weights(rebuild: Rebuild) -> None:
    stream = io.BytesIO()
    inner = zipfile.ZipFile(io.BytesIO(saved({"a": torch.zeros(2_000_000)})))
    with inner, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in inner.namelist():
            packed.writestr(name, inner.read(name))
    refused(rebuild(members={"policy.pth": stream.getvalue()}), "packed")


def test_file_beyond_the_limit(plain_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3_archive, "_FILE_LIMIT", 1000)
    refused(plain_zip, "more than 1000 bytes")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"a": ' * 100_000, b"9" * 10_000, b"{}"],
    ids=["empty", "open", "list", "null", "bytes", "deep-list", "deep-object", "huge-number", "no-fields"],
)
def test_data_that_is_no_object(data: bytes, rebuild: Rebuild) -> None:
    with pytest.raises(ImportFormatError):
        load_policy(rebuild(members={"data": data}))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("observation_space"),
        lambda d: d.update(observation_space=5),
        lambda d: d["observation_space"].update(_shape=[-3]),
        lambda d: d["observation_space"].update(_shape=[1 << 40]),
        lambda d: d["observation_space"].update(_shape=[1 << 20] * 30),
        lambda d: d["observation_space"].update(_shape=[3.0]),
        lambda d: d["observation_space"].update(_shape=[True]),
        lambda d: d["observation_space"].update(_shape="x" * 10_000),
        lambda d: d["observation_space"].update(_shape=[4]),
        lambda d: d["observation_space"].update(low="[5. 5. 5.]"),
        lambda d: d["action_space"].update(low="[5. 5.]"),
        lambda d: d["action_space"].update(_shape=[3]),
        lambda d: d["action_space"].update({":type:": "<class 'gym.spaces.discrete.Discrete'>", "n": "1e99"}),
        lambda d: d["action_space"].update({":type:": "<class 'gym.spaces.discrete.Discrete'>", "n": 3}),
        lambda d: d["policy_kwargs"].update(squash_output="yes"),
        lambda d: d["policy_kwargs"].update(squash_output=True),
    ],
)
def test_fields_that_make_no_sense(edit: Callable[[Any], Any], rebuild: Rebuild) -> None:
    with pytest.raises(ImportFormatError):
        load_policy(rebuild(data=edit))


@pytest.mark.parametrize(
    ("algorithm", "squash", "match"),
    [("qrdqn", False, "5 quantiles.* 3 actions"), ("ars", "yes", "squash_output"), ("tqc", False, "action space")],
)
def test_contributed_policies_that_make_no_sense(algorithm: str, squash: Any, match: str, rebuild: Rebuild) -> None:
    def edit(data: Any) -> None:
        data["policy_class"].update(__module__=f"sb3_contrib.{algorithm}.policies")
        data["policy_kwargs"].update(squash_output=squash)
        data["action_space"].update({":type:": "<class 'gym.spaces.discrete.Discrete'>", "n": 3})

    def five_outputs(state: Any) -> None:
        for name in ("quantile_net.quantile_net.0", "action_net.0"):
            state |= {f"{name}.weight": torch.ones(5, 3), f"{name}.bias": torch.ones(5)}

    refused(rebuild(data=edit, state=five_outputs), match)


@pytest.mark.parametrize("low", ["[nan nan]", "[-1.]", "", "junk", None, "[1 2 3]", {"a": 1}])
def test_unreadable_action_range_is_asked_for(low: Any, rebuild: Rebuild) -> None:
    with pytest.raises(UnsupportedError, match="action_range"):
        load_policy(rebuild(data=lambda d: d["action_space"].update(low=low, low_repr=low)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("action_net.weight", torch.full((2, 6), float("nan"))),
        ("action_net.bias", torch.full((2,), float("inf"))),
        ("action_net.weight", torch.zeros(2, 5)),
        ("action_net.weight", torch.zeros(3, 6)),
        ("action_net.weight", torch.zeros(12)),
        ("action_net.weight", torch.zeros(2, 6, dtype=torch.int64)),
        ("action_net.weight", torch.zeros(2, 0)),
        ("action_net.weight", torch.zeros(1).expand(1 << 20, 1 << 20)),
        ("action_net.weight", torch.zeros(2, 6).to_sparse()),
        ("action_net.weight", torch.zeros(2, 6, device="meta")),
        ("action_net.weight", "text"),
        ("action_net.bias", torch.zeros(7)),
        ("mlp_extractor.policy_net.0.weight", torch.zeros(8, 4)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_weights_that_make_no_sense(key: str, value: Any, rebuild: Rebuild) -> None:
    with pytest.raises(ImportFormatError):
        load_policy(rebuild(state=lambda s: s.update({key: value})))


def test_missing_weights(rebuild: Rebuild) -> None:
    refused(rebuild(state=lambda s: s.pop("action_net.weight")), r"action_net\.weight")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"junk" * 50, saved([1, 2]), saved({1: torch.zeros(2)}), pickle.dumps({"a": 1}), b"PK\x03\x04junk"],
    ids=["empty", "short", "junk", "list", "integer-key", "plain-pickle", "broken-zip"],
)
def test_weights_that_are_no_state_dict(content: bytes, rebuild: Rebuild) -> None:
    with pytest.raises(ImportFormatError):
        load_policy(rebuild(members={"policy.pth": content}))


def test_truncated_weights(plain_zip: Path, rebuild: Rebuild) -> None:
    with zipfile.ZipFile(plain_zip) as archive:
        content = archive.read("policy.pth")
    for length in (1, 10, 1000, len(content) // 2, len(content) - 1):
        with pytest.raises(ImportFormatError):
            load_policy(rebuild(members={"policy.pth": content[:length]}))


def legacy(state: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def test_weights_in_the_format_before_torch_1_6(plain_zip: Path, rebuild: Rebuild) -> None:
    with zipfile.ZipFile(plain_zip) as archive:
        state = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    content = legacy(state)
    assert load_policy(rebuild(members={"policy.pth": content})) == load_policy(plain_zip)
    for length in range(1, len(content), len(content) // 40):
        with pytest.raises(ImportFormatError):
            load_policy(rebuild(members={"policy.pth": content[:length]}))


def test_storage_larger_than_the_file(rebuild: Rebuild) -> None:
    content = legacy({"a": torch.zeros(70_000)})
    size = struct.pack("<I", 70_000)
    assert size in content
    huge = content.replace(b"J" + size, b"J" + struct.pack("<I", 0x7FFFFFFF))
    refused(rebuild(members={"policy.pth": huge}), "2147483647")


def test_nothing_in_the_zip_is_run(rebuild: Rebuild, canary: Any, plain_zip: Path) -> None:
    for content in (pickle.dumps(canary), pickle.dumps({"a": canary}), saved({"a": canary}), legacy({"a": canary})):
        with pytest.raises(ImportFormatError):
            load_policy(rebuild(members={"policy.pth": content}))
    text = b64encode(pickle.dumps(canary)).decode()

    def everywhere(data: dict[str, Any]) -> None:
        for value in data.values():
            if isinstance(value, dict):
                value[":serialized:"] = text

    assert load_policy(rebuild(data=everywhere)) == load_policy(plain_zip)
    assert not canary.path.exists()
    pickle.loads(pickle.dumps(canary))
    assert canary.path.exists()  # the canary works


def test_old_torch_is_refused(plain_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(UnsupportedError, match=r"2\.6"):
        load_policy(plain_zip)


def test_missing_torch_names_the_extra(plain_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> Any:
        raise MissingExtraError(module, "train")

    monkeypatch.setattr(torch_state, "require", missing)
    with pytest.raises(MissingExtraError, match="train"):
        load_policy(plain_zip)


def test_strange_version_text(rebuild: Rebuild) -> None:
    refused(rebuild(members={"_stable_baselines3_version": b"\x1b[31m<script>"}), "version")
    path = rebuild(members={"_stable_baselines3_version": None})
    assert load_policy(path).metadata["sb3_version"] == "<1.0"


def test_names_with_nul_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data_x", json.dumps({}))
    with pytest.raises(ImportFormatError, match="leaves the archive"):
        bounded_zip.open_zip(stream.getvalue().replace(b"data_x", b"data\0x"), "a.zip", 8)
