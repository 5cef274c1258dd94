"""A network as one C++17 header: templates of constant sizes, for the lowest latency."""

from __future__ import annotations

from rlcompress.artifact import write_atomically
from rlcompress.exporters.cpp.source import CppSource, cpp_source
from rlcompress.exporters.exported import Exported, ExportOptions
from rlcompress.network import Network

__all__ = ["CppSource", "cpp_source", "write_cpp"]


def write_cpp(network: Network, options: ExportOptions) -> Exported:
    """Write `NAME.hpp`."""
    made = cpp_source(network, options.name)
    path = options.folder / f"{options.name}.hpp"
    write_atomically(path, made.text.encode())
    return Exported((path,), made.constant_bytes, 0, network.macs, None, made.stack_bytes)
