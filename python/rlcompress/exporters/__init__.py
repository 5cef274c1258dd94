"""Networks that leave Python: one folder or file per format, one line in `FORMATS`."""

from __future__ import annotations

import importlib
import os
from os import PathLike, fspath
from pathlib import Path

from rlcompress import artifact
from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.exporters.arguments import check_types, make_folder
from rlcompress.exporters.exported import Exported, ExportOptions
from rlcompress.exporters.names import checked_name, name_from
from rlcompress.network import Network

__all__ = ["FORMATS", "LAYOUTS", "SUFFIXES", "ExportOptions", "Exported", "export"]

FORMATS: dict[str, str] = {
    "c": "rlcompress.exporters.c:write_c",
    "cpp": "rlcompress.exporters.cpp:write_cpp",
    "wasm": "rlcompress.exporters.wasm:write_wasm",
}
"""Format -> "module:function", which takes a network and `ExportOptions` and gives an `Exported`."""

SUFFIXES: dict[str, tuple[str, ...]] = {"c": (".h", ".c"), "cpp": (".hpp",), "wasm": (".wasm", ".mjs")}
"""Format -> suffixes of the files that it writes."""

LAYOUTS: dict[str, tuple[str, ...]] = {"plain": tuple(FORMATS), "arduino": ("c",)}
"""How the files are laid out -> the formats that can be: files alone, or a library for Arduino and PlatformIO."""


def export(
    source: Network | str | PathLike[str],
    format: str = "c",
    out: str | PathLike[str] = ".",
    *,
    name: str | None = None,
    layout: str = "plain",
) -> Exported:
    """Write a network as source code that gives the same bits as `Runtime`.

    Args:
        source: a network, or the path of an `.rlc` file.
        format: a name in `FORMATS`: "c" is a self-contained pair of C99 files, "cpp" a C++17 header of
            templates for the lowest latency, "wasm" a WebAssembly module and the JavaScript that loads it.
        out: a folder for the files, made where it is missing, or the path of one of them (`out/lander.h`), whose stem
            is then the name. A path that ends in a slash is a folder, whatever its name (`out/v1.2/`).
        name: prefix of everything in the files, a C identifier; without one it comes from `out` or the source's file.
        layout: a name in `LAYOUTS`.

    Returns:
        What was written, and what it takes.

    Raises:
        InvalidValueError: another source, an unknown format or layout, a name that is no C identifier, or a path of a
            file that the format does not write.
        MissingFileError: no such `.rlc` file, no folder for a file named so, or one that cannot be made.
        MissingToolError: the compiler that a format needs is not installed.
        FormatError: not a valid `.rlc` file.
    """
    check_types(source, out, name)
    if format not in FORMATS:
        raise InvalidValueError(f"format: one of {', '.join(FORMATS)} expected, found {format!r}")
    if layout not in LAYOUTS:
        raise InvalidValueError(f"layout: one of {', '.join(LAYOUTS)} expected, found {layout!r}")
    if format not in LAYOUTS[layout]:
        raise InvalidValueError(f"layout {layout}: format {' or '.join(LAYOUTS[layout])} expected, found {format!r}")
    folder, stem = _place(fspath(out), format, layout)
    name = stem if name is None else name
    if name is None:
        name = "policy" if isinstance(source, Network) else name_from(Path(source))
    image = artifact.encode(source, golden=0) if isinstance(source, Network) else artifact.read_image(source)
    checked_name(name)
    make_folder(folder)
    module, _, function = FORMATS[format].partition(":")
    written = getattr(importlib.import_module(module), function)(
        artifact.decode(image), ExportOptions(folder, name, layout)
    )
    assert isinstance(written, Exported)
    return written


def _place(out: str, format: str, layout: str) -> tuple[Path, str | None]:
    """The folder, and the name where the path is that of a file."""
    path = Path(out)
    if not path.suffix or path.is_dir() or out.endswith(("/", os.sep)):
        return path, None
    written = SUFFIXES[format] if layout == "plain" else ()
    if path.suffix not in written:
        expected = f"a file that ends in {' or '.join(written)}" if written else f"a folder (layout {layout})"
        raise InvalidValueError(f"out: {expected} expected, found {out!r}; a folder of this name is {out + '/'!r}")
    if not path.parent.is_dir():
        raise MissingFileError(f"no such folder: {fspath(path.parent)!r}; create it first")
    return path.parent, path.stem
