"""The zip that Stable-Baselines3 saves: plain `data` fields and the policy's weights, never serialised objects."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlcompress.errors import ImportFormatError
from rlcompress.importers.bounded_zip import BoundedZip, open_zip
from rlcompress.importers.source_file import printable_name, read_source
from rlcompress.importers.torch_state import StateDict, load_state

_FILE_LIMIT = 1 << 29
_DATA_LIMIT = 1 << 26
_POLICY_LIMIT = 1 << 28
_ENTRY_LIMIT = 64
_VERSION_MEMBER = "_stable_baselines3_version"
_BEFORE_VERSIONS = "<1.0"


@dataclass(frozen=True)
class Sb3Archive:
    """What is read of a zip.

    Args:
        path: of the zip.
        data: the JSON object `data`, less every `:serialized:` entry.
        state: the policy's tensors.
        version: of Stable-Baselines3, as the file says; "<1.0" when it does not.
        sha256: of the whole file, hexadecimal.
    """

    path: Path
    data: Mapping[str, Any]
    state: StateDict
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return printable_name(self.path)

    def fields(self, entry: str) -> Mapping[str, Any]:
        """The plain fields of an object saved in `data`; empty when there are none."""
        value = self.data.get(entry)
        return value if isinstance(value, dict) else {}


def read_archive(path: Path) -> Sb3Archive:
    """Read a zip saved by Stable-Baselines3 (any algorithm, any version).

    Raises:
        ImportFormatError: not such a zip, damaged, or built to do harm.
        MissingExtraError: torch is not installed.
        UnsupportedError: torch older than 2.6.
    """
    content = read_source(path, _FILE_LIMIT)
    archive = open_zip(content, str(path), _ENTRY_LIMIT)
    for member in ("data", "policy.pth"):
        if member not in archive.members:
            raise ImportFormatError(
                f"{path}: member {member!r} is missing: not a zip saved by Stable-Baselines3's model.save"
            )
    return Sb3Archive(
        path=path,
        data=_plain_fields(archive),
        state=load_state(archive.read("policy.pth", _POLICY_LIMIT), f"{path}: policy.pth"),
        version=_version(archive),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _plain_fields(archive: BoundedZip) -> dict[str, Any]:
    try:
        data = json.loads(archive.read("data", _DATA_LIMIT))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ImportFormatError):
            raise
        raise ImportFormatError(
            f"{archive.name}: member 'data' is not readable as JSON ({str(error)[:200]})"
        ) from error
    if not isinstance(data, dict):
        raise ImportFormatError(f"{archive.name}: member 'data': a JSON object expected, {type(data).__name__} found")
    return {key: _without_serialised(value) for key, value in data.items()}


def _without_serialised(value: Any) -> Any:
    return {key: field for key, field in value.items() if key != ":serialized:"} if isinstance(value, dict) else value


def _version(archive: BoundedZip) -> str:
    if _VERSION_MEMBER not in archive.members:
        return _BEFORE_VERSIONS
    text = archive.read(_VERSION_MEMBER, 256).decode("ascii", "replace").strip()
    if not re.fullmatch(r"[0-9A-Za-z.+_-]{1,64}", text):
        raise ImportFormatError(f"{archive.name}: {_VERSION_MEMBER}: a version number expected, found {text[:64]!r}")
    return text
