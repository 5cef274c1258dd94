"""Files of a run: either the old or the new content after a crash, never something between."""

from __future__ import annotations

from pathlib import Path

from rlcompress.artifact import write_atomically
from rlcompress.errors import CheckpointError


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file in the same folder, fsync, rename, fsync of the folder.

    Raises:
        CheckpointError: the system refuses (no folder, no space, no rights); the old content is untouched.
    """
    try:
        write_atomically(path, data)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error}; free space or choose another folder") from error


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove temporary files that killed writers of `pattern` left behind. The folder must be locked by the caller."""
    for path in folder.glob(f".{pattern}.*.tmp"):
        path.unlink(missing_ok=True)
