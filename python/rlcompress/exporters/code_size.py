"""Size of exported code, as a compiler on this machine makes it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rlcompress.exporters.exported import CodeSize

CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
_COMPILERS = (("arm-none-eabi-gcc", CORTEX_M4, "Cortex-M4F"), ("gcc", (), "this machine"))


def code_size(texts: Mapping[str, str], constant_bytes: int, remark: str = "") -> CodeSize | None:
    """Bytes of code and stack of a C file at -Os: for a Cortex-M4F where its compiler is installed, else for this
    machine; None where there is no GCC.

    Args:
        texts: name -> text of the C file and of its header.
        constant_bytes: of the arrays, which are not code.
        remark: what the files contain besides the network.
    """
    for compiler, options, where in _COMPILERS:
        found, size = shutil.which(compiler), shutil.which(compiler.replace("gcc", "size"))
        if found is None or size is None:
            continue
        measured = _measure(found, size, options, texts)
        if measured is not None:
            text, stack = measured
            return CodeSize(f"{where}, {compiler} -Os{remark and ', '}{remark}", text - constant_bytes, stack)
    return None


def _measure(compiler: str, size: str, options: tuple[str, ...], texts: Mapping[str, str]) -> tuple[int, int] | None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in texts.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        built = Path(folder) / "network.o"
        source = next(str(Path(folder) / name) for name in texts if name.endswith(".c"))
        command = [compiler, *options, "-std=c99", "-Os", "-fno-asynchronous-unwind-tables", "-fstack-usage"]
        done = subprocess.run([*command, "-c", source, "-o", built], capture_output=True, check=False)
        if done.returncode != 0:
            return None
        table = subprocess.run([size, "-A", built], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in table.splitlines()]
        text = sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith((".text", ".rodata", ".data")))
        usage = built.with_suffix(".su").read_text(encoding="utf-8")
        return text, sum(int(line.split("\t")[1]) for line in usage.splitlines())
