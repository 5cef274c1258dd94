"""The C++ runtime itself on another processor, on every instruction set that it has there."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from embed.exported import cases_of
from rlcompress import artifact
from rlcompress.network import Network

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "src" / "cpp"


@dataclass(frozen=True)
class RuntimeTarget:
    """A processor that the runtime is built for.

    Args:
        name: in words of the command line.
        compiler: its command.
        options: of the compiler.
        runner: the command that runs the program, before its path.
    """

    name: str
    compiler: str
    options: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Commands that are not installed."""
        return [command for command in (self.compiler, *self.runner[:1]) if shutil.which(command) is None]

    def build(self, program: Path) -> None:
        """Compile the core and the program that checks it.

        Raises:
            CalledProcessError: it does not compile.
        """
        sources = [path for folder in ("core", "layers", "targets") for path in sorted((CORE / folder).glob("*.cpp"))]
        flags = [
            "-std=c++17",
            "-O1",
            "-fno-exceptions",
            "-fno-rtti",
            "-ffp-contract=off",
            f"-I{CORE}",
            f"-I{CORE}/include",
        ]
        main = Path(__file__).with_name("runtime_check.cpp")
        subprocess.run([self.compiler, *self.options, *flags, *sources, main, "-o", program], check=True)


RUNTIME_TARGETS: tuple[RuntimeTarget, ...] = (
    RuntimeTarget("runtime-x86-64", "g++"),
    RuntimeTarget("runtime-aarch64", "aarch64-linux-gnu-g++", ("-static",), ("qemu-aarch64",)),
)


def write_cases(path: Path, networks: list[Network], seed: int) -> None:
    """The file that `runtime_check.cpp` reads."""
    with path.open("wb") as file:
        for index, network in enumerate(networks):
            image = artifact.encode(network, golden=0)
            rows, actions = cases_of(network, seed + index)
            file.write(struct.pack("<4I", len(image), len(rows), rows.shape[1], actions.shape[1]))
            file.write(image + rows.astype("<f4").tobytes() + actions.astype("<f4").tobytes())


def check_runtime(target: RuntimeTarget, networks: list[Network], seed: int) -> tuple[str | None, str]:
    """What is wrong on this target, or None; and which instruction sets ran."""
    with tempfile.TemporaryDirectory() as folder:
        program, cases = Path(folder) / "check", Path(folder) / "cases"
        target.build(program)
        write_cases(cases, networks, seed)
        done = subprocess.run([*target.runner, program, cases], capture_output=True, text=True, check=False)
    found = ", ".join(done.stdout.splitlines())
    return (None if done.returncode == 0 else f"status {done.returncode}: {found} {done.stderr[-300:]}"), found
