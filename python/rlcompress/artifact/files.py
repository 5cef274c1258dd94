"""Files that are never seen half written."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from rlcompress.errors import MissingFileError


def write_atomically(path: str | PathLike[str], data: bytes) -> None:
    """Write a temporary file beside `path`, flush it to the disk, rename it over `path`, flush the folder.

    Raises:
        MissingFileError: the folder does not exist.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        raise MissingFileError(f"no such folder: {str(target.parent)!r}; create it first") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Make the rename durable, where the system lets folders be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)
