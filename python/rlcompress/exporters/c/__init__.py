"""A network as one self-contained pair of C99 files: weights in flash, no heap, no mathematical library."""

from __future__ import annotations

from rlcompress.artifact import write_atomically
from rlcompress.exporters.c.arduino import library_files
from rlcompress.exporters.c.source import CSource, c_source
from rlcompress.exporters.code_size import code_size
from rlcompress.exporters.exported import Exported, ExportOptions
from rlcompress.network import Network

__all__ = ["CSource", "c_source", "write_c"]


def write_c(network: Network, options: ExportOptions) -> Exported:
    """Write `NAME.h` and `NAME.c`, or for the layout arduino a folder `NAME` with them, metadata and a sketch."""
    made = c_source(network, options.name)
    texts, folder = {f"{options.name}.h": made.header, f"{options.name}.c": made.source}, options.folder
    if options.layout == "arduino":
        texts, folder = library_files(network, made), folder / options.name
    paths = tuple(folder / name for name in texts)
    for path, text in zip(paths, texts.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    compiled = {path.name: text for path, text in zip(paths, texts.values()) if path.suffix in (".h", ".c")}
    code = code_size(compiled, made.constant_bytes, "the self-test included" if options.layout == "arduino" else "")
    return Exported(paths, made.constant_bytes, made.workspace_bytes, made.macs, code)
