"""A network as one self-contained pair of C99 files: weights in flash, no heap, no mathematical library."""

from __future__ import annotations

from rlcompress.artifact import write_atomically
from rlcompress.exporters.c.source import CSource, c_source
from rlcompress.exporters.code_size import code_size
from rlcompress.exporters.exported import Exported, ExportOptions
from rlcompress.network import Network

__all__ = ["CSource", "c_source", "write_c"]


def write_c(network: Network, options: ExportOptions) -> Exported:
    """Write `NAME.h` and `NAME.c`."""
    made = c_source(network, options.name)
    header, source = (options.folder / f"{options.name}{suffix}" for suffix in (".h", ".c"))
    write_atomically(header, made.header.encode())
    write_atomically(source, made.source.encode())
    code = code_size(source, made.constant_bytes)
    return Exported((header, source), made.constant_bytes, made.workspace_bytes, made.macs, code)
