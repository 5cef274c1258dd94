"""Checkpoints: one file each, digest-checked, written so that a crash at any moment leaves a usable one.

Layout of a file: magic and version (8 bytes), u64 length of the header, header (JSON: `about`, `tree`, element type and
shape of each array), arrays one after the other in little-endian, SHA-256 of everything before it (32 bytes).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.engine.codec import ELEMENT_TYPES, AnyArray, Encoded, decode, encode
from rlcompress.engine.durable import write_durably
from rlcompress.engine.hints import matches
from rlcompress.errors import CheckpointError

MAGIC = b"RLCSTATE"
VERSION = 1
GENERATIONS = 2
_PREFIX = struct.Struct("<8sIQ")
_DIGEST_BYTES = 32


class DamagedError(CheckpointError):
    """The bytes are not those that were written."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run after `step` finished steps.

    Args:
        identity: of the run that it belongs to.
        step: finished steps.
        phase: phase that the process was in.
        seconds: wall seconds per phase so far, over all sessions. Outside the state, so that the state does not
            depend on time.
        state: of the process.
    """

    identity: str
    step: int
    phase: str
    seconds: Mapping[str, float]
    state: Any


@dataclass(frozen=True, eq=False)
class Loaded:
    """The newest usable checkpoint, and the files that were passed over because they are damaged."""

    checkpoint: Checkpoint
    damaged: tuple[Path, ...]


def check_same(path: Path, what: str, found: object, expected: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of other work.

    Args:
        path: of the checkpoint.
        what: kind of work, for the message.
        found: the facts in the file.
        expected: those of the work to go on with.

    Raises:
        CheckpointError: a fact differs.
    """
    known = found if isinstance(found, Mapping) else {}
    differing = [name for name, value in expected.items() if name not in known or known[name] != value]
    if differing:
        raise CheckpointError(
            f"{path}: the checkpoint of another {what} (differs in {', '.join(differing)}); delete it or name "
            "another file"
        )


def pack(value: Any, hint: Any, about: Mapping[str, Any]) -> bytes:
    """The file's bytes for a value declared as `hint`, with JSON-able facts about it.

    Raises:
        InvalidValueError: the value holds something that cannot be stored.
    """
    encoded = encode(value, hint)
    shapes = [[array.dtype.name, list(array.shape)] for array in encoded.arrays]
    text = json.dumps({"about": dict(about), "tree": encoded.tree, "arrays": shapes}, sort_keys=True, allow_nan=False)
    header = text.encode()
    blobs = [array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes() for array in encoded.arrays]
    body = b"".join([_PREFIX.pack(MAGIC, VERSION, len(header)), header, *blobs])
    return body + hashlib.sha256(body).digest()


def unpack(data: bytes, hint: Any) -> tuple[Any, dict[str, Any]]:
    """The value and the facts of `pack`.

    Raises:
        DamagedError: truncated or changed bytes.
        CheckpointError: sound, but of another version or of another type.
    """
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(body) < _PREFIX.size or hashlib.sha256(body).digest() != digest:
        raise DamagedError(f"damaged: {len(data)} bytes that do not match their digest")
    magic, version, length = _PREFIX.unpack_from(body)
    if magic != MAGIC or version != VERSION:
        raise CheckpointError(
            f"version {VERSION} expected, found {version}; continue with the rlcompress that wrote it"
        )
    try:
        header = json.loads(body[_PREFIX.size : _PREFIX.size + length])
        arrays = _arrays(header["arrays"], body, _PREFIX.size + length)
        return decode(Encoded(header["tree"], arrays), hint), dict(header["about"])
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise CheckpointError(f"malformed header: {type(error).__name__}: {error}") from error


def _arrays(shapes: list[tuple[str, list[int]]], body: bytes, offset: int) -> tuple[AnyArray, ...]:
    arrays = []
    for name, shape in shapes:
        if name not in ELEMENT_TYPES or any(type(size) is not int or size < 0 for size in shape):
            raise CheckpointError(f"array of {name} {shape}: not something this version writes")
        element, count = np.dtype(name), prod(shape)
        if offset + count * element.itemsize > len(body):
            raise CheckpointError(f"array of {name} {shape}: reaches beyond the end of the file")
        stored = np.frombuffer(body, element.newbyteorder("<"), count, offset)
        arrays.append(stored.astype(element, copy=False).reshape(shape))
        offset += count * element.itemsize
    if offset != len(body):
        raise CheckpointError(f"{len(body) - offset} bytes after the last array")
    return tuple(arrays)


def save_checkpoint(folder: Path, checkpoint: Checkpoint, state_type: Any) -> None:
    """Write a checkpoint and drop those older than the last `GENERATIONS`.

    Raises:
        CheckpointError: the system refuses to write.
        InvalidValueError: the state holds something that cannot be stored.
    """
    about = {
        "identity": checkpoint.identity,
        "step": checkpoint.step,
        "phase": checkpoint.phase,
        "seconds": dict(checkpoint.seconds),
    }
    write_durably(folder / f"checkpoint-{checkpoint.step:08d}.bin", pack(checkpoint.state, state_type, about))
    for old in _generations(folder)[GENERATIONS:]:
        old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, identity: str, state_type: Any) -> Loaded | None:
    """The newest undamaged checkpoint of a run folder, or None when it has none.

    Raises:
        CheckpointError: all are damaged, or one is of another run, version or type; names the file.
    """
    damaged: list[Path] = []
    for path in _generations(folder):
        try:
            checkpoint = _read(path, state_type)
        except DamagedError:
            damaged.append(path)
            continue
        if checkpoint.identity != identity:
            raise CheckpointError(f"{path}: belongs to another run; remove it or choose another run folder")
        return Loaded(checkpoint, tuple(damaged))
    if damaged:
        names = ", ".join(str(path) for path in damaged)
        raise CheckpointError(f"{names}: damaged, and no older checkpoint is left; remove it to start the run again")
    return None


def _generations(folder: Path) -> list[Path]:
    """Newest first."""
    found = [path for path in folder.glob("checkpoint-*.bin") if path.stem.removeprefix("checkpoint-").isdecimal()]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("checkpoint-")), reverse=True)


def _read(path: Path, state_type: Any) -> Checkpoint:
    try:
        state, about = unpack(path.read_bytes(), state_type)
        checkpoint = Checkpoint(state=state, **about)
    except DamagedError:
        raise
    except (CheckpointError, OSError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    facts = (checkpoint.identity, checkpoint.step, checkpoint.phase, checkpoint.seconds)
    if not matches(facts, tuple[str, int, str, dict[str, float]]) or checkpoint.step < 0:
        raise CheckpointError(f"{path}: malformed facts {facts}")
    return checkpoint
