"""The C++ runtime itself on another processor, on every instruction set that it has there."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed import bochs
from embed.exported import ROWS, cases_of
from embed.targets import RVV, RVV_CLANG, SVE, SVE_OPTIONS, commands
from rlcompress import artifact, kernels
from rlcompress.errors import FormatError
from rlcompress.exporters.emulated import COMPILER, CORES
from rlcompress.network import Network

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("v*.rlc"))
CORE = ROOT / "src" / "cpp"


@dataclass(frozen=True)
class RuntimeTarget:
    """A processor that the runtime is built for.

    Args:
        name: in words of the command line.
        compiler: its command.
        options: of the compiler.
        runner: the command that runs the program, before its path.
        cpus: what the runner's `-cpu` is given: the program runs once on each.
        link: after the sources.
        bare: without an operating system: files and output through the debugger.
        needed: what else is not installed of what the runner needs.
    """

    name: str
    compiler: str
    options: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    cpus: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    bare: bool = False
    needed: Callable[[], list[str]] = list

    def missing(self) -> list[str]:
        """Commands, headers and other files that are not installed."""
        missing = [command for command in (self.compiler, *self.runner[:1]) if shutil.which(command) is None]
        missing += self.needed()
        if not missing and self.bare:
            asked = [self.compiler, "-x", "c++", "-fsyntax-only", "-include", "vector", "/dev/null"]
            missing = ["<vector>"] if subprocess.run(asked, capture_output=True, check=False).returncode != 0 else []
        return missing

    def build(self, program: Path, *options: str, main: str = "runtime_check.cpp") -> None:
        """Compile the core and a program of this folder that uses it.

        Raises:
            CalledProcessError: it does not compile.
        """
        sources = [path for folder in ("core", "layers", "targets") for path in sorted((CORE / folder).glob("*.cpp"))]
        if "-DRLCOMPRESS_SCALAR_ONLY" in (*self.options, *options):
            sources = [path for path in sources if path.parent.name != "targets" or path.stem == "scalar"]
        flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti", f"-I{CORE}", f"-I{CORE}/include"]
        mains = [Path(__file__).with_name(main)]
        mains += [Path(__file__).with_name("bare_main.cpp")] if self.bare else []
        common = [self.compiler, "-O1", "-ffp-contract=off", *self.options, *options]
        link = list(self.link)
        for at, file in enumerate(link):
            if file.endswith(".c"):  # the start-up code: C, which refuses options of C++
                link[at] = str(program.with_name(f"{Path(file).stem}.o"))
                subprocess.run([*common, "-c", file, "-o", link[at]], check=True)
        command = [*common, *flags, *sources, *mains, *link, "-o", program]
        subprocess.run(command, check=True)

    def run(
        self, command: tuple[str, ...], program: Path, files: list[Path], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs the program on these files and arguments by one of the commands that run programs."""
        folder = Path(os.path.commonpath([file.parent for file in files]))  # a debugger's command line is short
        words = [*(str(file.relative_to(folder) if self.bare else file) for file in files), *arguments]
        words = ["-append", " ".join(words)] if self.bare else words
        return subprocess.run([*command, program, *words], capture_output=True, text=True, check=False, cwd=folder)


def _bare(name: str) -> RuntimeTarget:
    """A Cortex-M as a board of QEMU has it, with newlib's files and heap."""
    core = CORES[name]
    options = (*core.options, "-DRLCOMPRESS_SCALAR_ONLY", "-DRLCOMPRESS_BARE")
    newlib = ("-Wl,--start-group", "-lc", "-lrdimon", "-lm", "-lgcc", "-Wl,--end-group", "-Wl,--defsym=end=bss_end")
    return RuntimeTarget(f"runtime-{name}", COMPILER, options, core.runner, (), (*core.link, *newlib), bare=True)


RUNTIME_TARGETS: tuple[RuntimeTarget, ...] = (
    RuntimeTarget("runtime-x86-64", "g++"),
    RuntimeTarget("runtime-x86-64-avx512", "g++", ("-static",), (bochs.COMMAND,), bochs.AVX512, needed=bochs.missing),
    RuntimeTarget("runtime-aarch64", "aarch64-linux-gnu-g++", ("-static",), ("qemu-aarch64",), ("cortex-a53", "max")),
    RuntimeTarget("runtime-aarch64-sve", "aarch64-linux-gnu-g++", SVE_OPTIONS, ("qemu-aarch64",), SVE),
    RuntimeTarget("runtime-armhf", "arm-linux-gnueabihf-g++", ("-static", "-mfpu=vfpv3-d16"), ("qemu-arm",)),
    RuntimeTarget("runtime-riscv64", "riscv64-linux-gnu-g++", ("-static",), ("qemu-riscv64",)),
    RuntimeTarget("runtime-riscv64-v", "clang++-19", (*RVV_CLANG, "-O3"), ("qemu-riscv64",), RVV),
    *map(_bare, CORES),
)


def write_cases(path: Path, networks: list[Network], seed: int, count: int = ROWS) -> Path:
    """The file that `runtime_check.cpp` and `run_times.cpp` read: so many observations of each network."""
    with path.open("wb") as file:
        for index, network in enumerate(networks):
            image = artifact.encode(network, golden=0)
            rows, actions = cases_of(network, seed + index, count)
            file.write(struct.pack("<4I", len(image), len(rows), rows.shape[1], actions.shape[1]))
            file.write(image + rows.astype("<f4").tobytes() + actions.astype("<f4").tobytes())
    return path


def write_damaged(path: Path, count: int, seed: int) -> Path:
    """The second file of `runtime_check.cpp`: golden files cut, lengthened and changed, most with a checksum put right,
    each with the field that the reader here names."""
    rng = np.random.default_rng(seed)
    whole = [file.read_bytes() for file in GOLDEN]
    with path.open("wb") as file:
        for number in range(count):
            image = _damaged(rng, whole[number % len(whole)])
            field, offset = "", 0
            try:
                kernels.verify(image)
            except FormatError as error:
                field, offset = error.field, error.offset
            file.write(struct.pack("<2I32s", len(image), offset, field.encode()) + image)
    return path


def _damaged(rng: np.random.Generator, whole: bytes) -> bytes:
    image = bytearray(whole)
    kind = rng.integers(8)
    if kind == 0:
        image = image[: rng.integers(len(image))]
    elif kind == 1:
        image += rng.bytes(int(rng.integers(1, 9)))
    else:
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(4, min(len(image), 300) if kind < 6 else len(image)))
            image[at] = int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))
    if len(image) >= 16 and kind != 7:
        struct.pack_into("<I", image, 8, len(image))
        struct.pack_into("<I", image, 12, 0)
        struct.pack_into("<I", image, 12, zlib.crc32(image))
    return bytes(image)


def check_runtime(target: RuntimeTarget, *files: Path, options: tuple[str, ...] = ()) -> tuple[str | None, str]:
    """What is wrong on this target with the program's files, or None; and what ran."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "check"
        target.build(program, *options)
        for command in commands(target.runner, target.cpus):
            done = target.run(command, program, list(files))
            found += done.stdout.splitlines()
            if done.returncode != 0:
                return f"{' '.join(command)}: status {done.returncode}: {done.stderr[-300:]}", ", ".join(found)
    return None, ", ".join(found)
