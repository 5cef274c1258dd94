"""Reading of untrusted files: regular files only, at most so many bytes, read whole before anything looks at them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rlcompress.errors import ImportFormatError, MissingFileError


def read_source(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of 1 to `limit` bytes.

    Raises:
        MissingFileError: no such file.
        ImportFormatError: unreadable, not a regular file (a folder, a device, a pipe), empty or too long.
    """
    try:
        # Non-blocking, so that opening a pipe returns at once and is refused below.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = _read(descriptor, limit + 1) if regular else b""
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file; give the path of an existing one") from error
    except (OSError, ValueError) as error:
        raise ImportFormatError(f"{path}: cannot be read ({error}); give the path of a readable file") from error
    if not regular:
        raise ImportFormatError(f"{path}: not a regular file; give the path of a file")
    if not content:
        raise ImportFormatError(f"{path}: the file is empty; give a complete file")
    if len(content) > limit:
        raise ImportFormatError(f"{path}: more than {limit} bytes, which no file of this kind needs; give another file")
    return content


def printable_name(path: Path) -> str:
    """The file's name without its folder, as text that UTF-8 can encode."""
    return path.name.encode("utf-8", "replace").decode("utf-8")


def _read(descriptor: int, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := os.read(descriptor, min(left, 1 << 24))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
