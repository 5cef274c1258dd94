"""Processors on which exported networks are checked: how each is compiled for, and what runs it here."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rlcompress.exporters.emulated import CORES

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "microcontroller"


@dataclass(frozen=True)
class Target:
    """A processor.

    Args:
        name: in words of the command line.
        compiler: its command.
        options: before the sources.
        link: after the sources.
        runner: the command that runs the program, before its path.
        cpus: what the runner's `-cpu` is given: the program runs once on each.
        bare: without an operating system: the start-up code of the example, output through the debugger.
        module: WebAssembly: `check_all` is exported, and Node calls it.
    """

    name: str
    compiler: str
    options: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    cpus: tuple[str, ...] = ()
    bare: bool = False
    module: bool = False

    def missing(self) -> list[str]:
        """Commands that are not installed."""
        commands = [self.compiler, *self.runner[:1], *(["wasm-ld"] if self.module else [])]
        return [command for command in commands if shutil.which(command) is None]

    def build(self, sources: list[Path], program: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [self.compiler, *self.options, *options, *map(str, sources), *self.link, "-o", str(program)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def run(self, program: Path, seconds: float = 1800) -> subprocess.CompletedProcess[str]:
        """Runs on each of the processors, up to the first that fails.

        Raises:
            TimeoutExpired: one took longer than this.
        """
        for command in commands(self.runner, self.cpus):
            done = subprocess.run(
                [*command, str(program)], capture_output=True, text=True, check=False, timeout=seconds
            )
            if done.returncode != 0:
                break
        return done


def commands(runner: tuple[str, ...], cpus: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What runs a program, before its path: one command for each processor."""
    return [(*runner, "-cpu", cpu) for cpu in cpus] or [runner]


def _bare(name: str) -> Target:
    """A Cortex-M as a board of QEMU has it."""
    core = CORES[name]
    return Target(name, "arm-none-eabi-gcc", core.options, core.link, core.runner, bare=True)


SVE_OPTIONS = ("-static", "-march=armv8.2-a+sve")
SVE = tuple(f"max,sve{bits}=on" for bits in (128, 256, 512))
"""AArch64 with vectors of lengths that the program does not know."""

RVV = tuple(f"rv64,v=true,vlen={bits},elen=64,vext_spec=v1.0" for bits in (128, 256, 512))
RVV_CLANG = ("--target=riscv64-linux-gnu", "-march=rv64gcv", "-static")

_MODULE = ("--target=wasm32", "-mbulk-memory", "-ffreestanding", "-nostdlib", "-Wl,--no-entry,--export=check_all")
_NODE = ("node", str(Path(__file__).with_name("check_module.mjs")))

TARGETS: tuple[Target, ...] = (
    Target("x86-64", "gcc"),
    Target("x86-64-native", "gcc", ("-march=native",)),
    Target("x86-64-no-float", "gcc", ("-DRLCOMPRESS_NO_FLOAT=1",)),
    Target("clang", "clang", ("-march=native",)),
    Target("aarch64", "aarch64-linux-gnu-gcc", ("-static",), (), ("qemu-aarch64",)),
    Target(
        "aarch64-sve",
        "aarch64-linux-gnu-gcc",
        SVE_OPTIONS,
        runner=("qemu-aarch64",),
        cpus=SVE,
    ),
    Target("armhf", "arm-linux-gnueabihf-gcc", ("-static", "-mfpu=vfpv4"), (), ("qemu-arm",)),
    Target("armhf-vfpv3", "arm-linux-gnueabihf-gcc", ("-static", "-mfpu=vfpv3-d16"), (), ("qemu-arm",)),
    Target("riscv64", "riscv64-linux-gnu-gcc", ("-static",), (), ("qemu-riscv64",)),
    Target("riscv64-v", "clang-19", RVV_CLANG, runner=("qemu-riscv64",), cpus=RVV),
    Target("wasm", "clang", _MODULE, (), _NODE, module=True),
    *map(_bare, CORES),
)
