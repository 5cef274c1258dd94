"""A network as a WebAssembly module and the JavaScript that loads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from rlcompress.artifact import write_atomically
from rlcompress.errors import MissingToolError, RlcompressError
from rlcompress.exporters.c.source import CSource, c_source
from rlcompress.exporters.exported import CodeSize, Exported, ExportOptions
from rlcompress.exporters.stored_vectors import GOLDEN
from rlcompress.exporters.wasm.text import LOADER, MODULE
from rlcompress.network import Network

__all__ = ["write_wasm"]

_OPTIONS = (
    "--target=wasm32",
    "-std=c99",
    "-O3",
    "-mbulk-memory",
    "-ffreestanding",
    "-nostdlib",
    "-Wl,--no-entry,--stack-first,--strip-all,-z,stack-size=8192",
)
_EXPORTS = ("run", "self_test", "observation", "action", "input_size", "action_size")


def write_wasm(network: Network, options: ExportOptions) -> Exported:
    """Write `NAME.wasm` and `NAME.mjs`.

    Raises:
        MissingToolError: there is no clang that makes WebAssembly, or no linker for it.
        RlcompressError: clang does not compile the module.
    """
    made = c_source(network, options.name)
    module = _compiled(made)
    paths = tuple(options.folder / f"{options.name}{suffix}" for suffix in (".wasm", ".mjs"))
    write_atomically(paths[0], module)
    write_atomically(paths[1], _filled(LOADER, {"NAME": options.name, "VECTORS": str(GOLDEN)}).encode())
    size = CodeSize("the module, clang --target=wasm32 -O3", len(module) - made.constant_bytes, 8192)
    return Exported(paths, made.constant_bytes, made.workspace_bytes, made.macs, size)


def _compiled(made: CSource) -> bytes:
    clang = shutil.which("clang")
    if clang is None or shutil.which("wasm-ld") is None:
        missing = "clang" if clang is None else "wasm-ld"
        raise MissingToolError(missing, "clang with its linker makes WebAssembly (Debian: apt-get install clang lld)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / f"{made.name}.h").write_text(made.header, encoding="utf-8")
        text = made.source + _filled(MODULE, {"NAME": made.name, "BIG": made.name.upper()})
        (folder / f"{made.name}.c").write_text(text, encoding="utf-8")
        exports = [f"-Wl,--export=module_{word}" for word in _EXPORTS]
        define = f"-D{made.name.upper()}_SELF_TEST"
        command = [clang, *_OPTIONS, define, *exports, str(folder / f"{made.name}.c")]
        command += ["-o", str(folder / "module.wasm")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[:300]
            if "target" in words or "unknown argument" in words:
                raise MissingToolError(clang, f"a clang with the wasm32 target (version 11 or later) expected: {words}")
            raise RlcompressError(f"name {made.name}: {clang} does not compile the module: {words}")
        return (folder / "module.wasm").read_bytes()


def _filled(text: str, words: dict[str, str]) -> str:
    """The text with each of these words in place of its mark."""
    return re.sub("|".join(words), lambda mark: words[mark[0]], text)
