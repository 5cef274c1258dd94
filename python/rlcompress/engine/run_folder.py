"""The folder of a run: what runs there, its teacher, its log. Checkpoints lie beside them.

| file | content |
|---|---|
| `run.json` | algorithm and its settings, task, seed, versions, what follows the run, identity |
| `teacher.bin` | the teacher, exactly (masks included), in the format of checkpoints |
| `teacher.rlc` | the teacher, for the runtime |
| `checkpoint-*.bin` | the last two checkpoints |
| `events.jsonl` | one line per event but `Progress`, appended; after a kill the last step's lines occur twice |
| `policy.rlc` | the smallest accepted network, once the run has finished |
| `report.md`, `report.json`, `report.png` | the result's figures, written by the reporting floor |
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import IO, Any

from rlcompress.artifact import encode as encode_artifact
from rlcompress.engine.checkpoint import pack, unpack
from rlcompress.engine.config import from_config, to_config
from rlcompress.engine.durable import remove_leftovers, write_durably
from rlcompress.engine.events import Event, Progress
from rlcompress.engine.process import Process
from rlcompress.engine.versions import versions
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.network import Network
from rlcompress.problem import Problem

LAYOUT = 1


@dataclass(frozen=True)
class RunRecord:
    """What a run is: everything that its result depends on.

    Args:
        algorithm: name in the registry.
        settings: of the algorithm, JSON-able.
        task: its description, JSON-able.
        seed: of the run.
        teacher: digest of the teacher's layers and contract.
        versions: of the packages at the start of the run; not part of the identity.
        layout: of the run folder.
        following: what the caller does with the result afterwards, JSON-able, for whoever resumes the run; not part of
            the identity.
    """

    algorithm: str
    settings: Mapping[str, Any]
    task: Mapping[str, Any]
    seed: int
    teacher: str
    versions: Mapping[str, str] = field(default_factory=dict)
    layout: int = LAYOUT
    following: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Digest of all parts but the versions and what follows."""
        parts = to_config(replace(self, versions={}))
        del parts["following"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def record_of(problem: Problem, process: Process[Any, Any]) -> RunRecord:
    """The record of a run that is about to start.

    Raises:
        InvalidValueError: settings or the task's description are not JSON-able.
    """
    try:
        task = json.loads(json.dumps(dict(problem.task.describe()), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"task {problem.task.name}: describe() must be JSON-able and finite: {error}"
        ) from error
    return RunRecord(
        algorithm=process.algorithm,
        settings=to_config(process),
        task=task,
        seed=problem.seed,
        teacher=digest_of(problem.teacher),
        versions=versions(),
    )


def digest_of(network: Network) -> str:
    """SHA-256 of layers and contract; metadata does not count."""
    return hashlib.sha256(pack(replace(network, metadata={}), Network, {})).hexdigest()


def open_run(folder: Path, record: RunRecord, teacher: Network) -> tuple[RunRecord, Network]:
    """The record and teacher that the folder holds; written there first when the folder holds no run.

    What follows the run is renewed there: the last caller that says so decides.

    Raises:
        CheckpointError: the folder holds another run, or its files are damaged.
    """
    remove_leftovers(folder, "*")
    if not (folder / "run.json").exists():
        write_durably(folder / "teacher.bin", pack(teacher, Network, {}))
        write_durably(folder / "teacher.rlc", encode_artifact(teacher))
        _write_record(folder, record)
        return record, teacher
    found, stored_teacher = read_run(folder)
    if found.identity != record.identity:
        names = ("algorithm", "settings", "task", "seed", "teacher")
        parts = [name for name in names if getattr(found, name) != getattr(record, name)]
        raise CheckpointError(
            f"{folder}: holds another run (differs in {', '.join(parts)}); "
            "choose another folder, or continue that run with resume"
        )
    if record.following and found.following != record.following:
        found = replace(found, following=record.following)
        _write_record(folder, found)
    return found, stored_teacher


def _write_record(folder: Path, record: RunRecord) -> None:
    text = json.dumps({**to_config(record), "identity": record.identity}, indent=2, sort_keys=True)
    write_durably(folder / "run.json", text.encode())


def read_run(folder: Path) -> tuple[RunRecord, Network]:
    """The record and the teacher of a run folder.

    Raises:
        CheckpointError: no run there, or damaged files; names the file.
    """
    path = folder / "run.json"
    try:
        entries = json.loads(path.read_bytes())
        identity = entries.pop("identity")
        record = from_config(RunRecord, entries)
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: no run to continue (run.json is missing); start one with compress") from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: {error}; start the run again in another folder") from error
    if record.layout != LAYOUT or record.identity != identity:
        raise CheckpointError(f"{path}: changed since it was written, or of another version; start the run again")
    path = folder / "teacher.bin"
    try:
        teacher: Network = unpack(path.read_bytes(), Network)[0]
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    if digest_of(teacher) != record.teacher:
        raise CheckpointError(f"{path}: not the teacher of this run; restore the file or start the run again")
    return record, teacher


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and keep other processes out of it; a killed process leaves no lock behind.

    Raises:
        CheckpointError: another process works there, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"run folder {folder}: {error}; choose another folder") from error
    if os.name == "nt":  # folders cannot be opened there
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CheckpointError(
            f"{folder}: another process is running there; wait for it or choose another folder"
        ) from error
    finally:
        os.close(descriptor)


class EventLog:
    """Subscriber that appends events to `events.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = (folder / "events.jsonl").open("a+b")
        if self._file.tell() > 0:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":  # a killed process stopped within a line
                self._file.write(b"\n")

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            return
        facts = {name: value if _is_json(value) else repr(value) for name, value in asdict(event).items()}
        line = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "event": type(event).__name__,
            **facts,
        }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _is_json(value: Any) -> bool:
    return not isinstance(value, float) or isfinite(value)
