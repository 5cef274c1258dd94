"""Zip archives from strangers: listing checked first, then single members read into memory under a limit.

Nothing is ever extracted to disk.
"""

from __future__ import annotations

import io
import stat
import zipfile
from dataclasses import dataclass

from rlcompress.errors import ImportFormatError

RATIO_LIMIT = 100
_RATIO_FROM = 1 << 16  # below this size a high ratio is harmless
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class BoundedZip:
    """An opened archive whose listing has passed the checks.

    Args:
        name: of the file, for messages.
        archive: the opened archive.
        members: by name.
    """

    name: str
    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    def read(self, member: str, limit: int) -> bytes:
        """One member's bytes, checksum verified.

        Raises:
            ImportFormatError: missing, longer than `limit`, packed beyond reason, or damaged.
        """
        info = self.members.get(member)
        if info is None:
            raise ImportFormatError(f"{self.name}: the archive has no member {member!r}; give a complete file")
        if info.file_size > limit:
            raise ImportFormatError(
                f"{self.name}: {member!r} declares {info.file_size} bytes, at most {limit} are taken"
            )
        if info.file_size > _RATIO_FROM and info.file_size > RATIO_LIMIT * max(info.compress_size, 1):
            raise ImportFormatError(f"{self.name}: {member!r} is packed over {RATIO_LIMIT} times; refused as a bomb")
        content = self._unpack(info, limit)
        if len(content) > limit or len(content) != info.file_size:
            raise ImportFormatError(f"{self.name}: {member!r} holds other than its declared {info.file_size} bytes")
        return content

    def _unpack(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        try:
            with self.archive.open(info) as stream:
                return stream.read(limit + 1)
        except Exception as error:  # damaged archives raise many unrelated types
            raise ImportFormatError(
                f"{self.name}: {info.filename!r} is damaged ({error}); fetch the file again"
            ) from error


def open_zip(content: bytes, name: str, entry_limit: int) -> BoundedZip:
    """Open an archive held in memory and check its listing.

    Args:
        content: the whole archive.
        name: of the file, for messages.
        entry_limit: most members taken.

    Raises:
        ImportFormatError: not a zip, too many or duplicate members, names that leave the archive, links, encryption.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = archive.infolist()
    except Exception as error:  # damaged archives raise many unrelated types
        raise ImportFormatError(f"{name}: not a readable zip archive ({error}); fetch the file again") from error
    if len(entries) > entry_limit:
        raise ImportFormatError(f"{name}: {len(entries)} members found, at most {entry_limit} are taken")
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_entry(entry, name)
        if entry.filename in members:
            raise ImportFormatError(f"{name}: member {entry.filename!r} occurs twice; refused as ambiguous")
        members[entry.filename] = entry
    return BoundedZip(name=name, archive=archive, members=members)


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    member = entry.filename
    # orig_filename keeps what follows a NUL, which zipfile cuts off.
    raw = entry.orig_filename
    parts = raw.replace("\\", "/").split("/")
    if not member or not parts[0] or ".." in parts or ":" in parts[0] or "\0" in raw:
        raise ImportFormatError(f"{name}: member name {raw[:200]!r} leaves the archive; refused")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ImportFormatError(f"{name}: member {member!r} is a symbolic link; refused")
    if entry.flag_bits & 0x1:
        raise ImportFormatError(f"{name}: member {member!r} is encrypted; give an unencrypted file")
    if entry.compress_type not in _METHODS:
        raise ImportFormatError(f"{name}: member {member!r}: packed by method {entry.compress_type}, 0 or 8 expected")


def is_zip(content: bytes) -> bool:
    """Whether the bytes begin like a zip archive."""
    return content[:4] == b"PK\x03\x04"
