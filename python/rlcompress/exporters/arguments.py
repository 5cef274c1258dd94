"""What `export` is given, checked before anything is written."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.network import Network


def check_types(source: object, out: object, name: object) -> None:
    """Refuse what is no network and no path, and a name that is no text.

    Raises:
        InvalidValueError: names the argument and its type.
    """
    if not isinstance(source, (Network, str, PathLike)):
        kind = f"{type(source).__module__}.{type(source).__qualname__}"
        raise InvalidValueError(
            f"source: a Network or the path of an .rlc file expected, found {kind}; rlcompress.from_torch(module) "
            "makes a Network of a torch module, rlcompress.load_policy(...) of other policies"
        )
    if not isinstance(out, (str, PathLike)):
        raise InvalidValueError(f"out: the path of a folder or file expected, found {out!r}")
    if name is not None and not isinstance(name, str):
        raise InvalidValueError(f"name: text or None expected, found {name!r}")


def make_folder(folder: Path) -> None:
    """Make a folder where it is missing.

    Raises:
        MissingFileError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MissingFileError(f"out: a folder that can be made expected, found {str(folder)!r}: {reason}") from None
