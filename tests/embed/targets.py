"""Processors on which exported networks are checked: how each is compiled for, and what runs it here."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BOARD = Path(__file__).resolve().parents[2] / "examples" / "microcontroller"
_BARE = ("-mthumb", "-ffunction-sections", "-fdata-sections", "-fno-tree-loop-distribute-patterns")
_LINK = ("-nostartfiles", "-nostdlib", "-T", str(BOARD / "board.ld"), "-Wl,--gc-sections", str(BOARD / "startup.c"))
_EMULATOR = ("qemu-system-arm", "-nographic", "-monitor", "none", "-serial", "none", "-icount", "shift=0")
_SEMIHOSTING = ("-semihosting-config", "enable=on,target=native")


@dataclass(frozen=True)
class Target:
    """A processor.

    Args:
        name: in words of the command line.
        compiler: its command.
        options: before the sources.
        link: after the sources.
        runner: the command that runs the program, before its path.
        bare: without an operating system: the start-up code of the example, output through the debugger.
        module: WebAssembly: `check_all` is exported, and Node calls it.
        most_bytes: constants that one program holds.
    """

    name: str
    compiler: str
    options: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    bare: bool = False
    module: bool = False
    most_bytes: int = 4_000_000

    def missing(self) -> list[str]:
        """Commands that are not installed."""
        commands = [self.compiler, *self.runner[:1], *(["wasm-ld"] if self.module else [])]
        return [command for command in commands if shutil.which(command) is None]

    def build(self, sources: list[Path], program: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [self.compiler, *self.options, *options, *map(str, sources), *self.link, "-o", str(program)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def run(self, program: Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        command = [*self.runner, str(program)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)


def cortex_m(name: str, board: str, *cpu: str, ram: str = "0x20000000") -> Target:
    """A Cortex-M as a board of QEMU has it."""
    link = (*_LINK, f"-Wl,--defsym=ram_base={ram}", "-lgcc")
    runner = (*_EMULATOR, "-M", board, *_SEMIHOSTING, "-kernel")
    options = (*cpu, *_BARE, "-I", str(BOARD))
    return Target(name, "arm-none-eabi-gcc", options, link, runner, bare=True, most_bytes=3_000_000)


def _sve(name: str, length: str) -> Target:
    """AArch64 with vectors of a length that the program does not know."""
    options = ("-static", "-march=armv8.2-a+sve")
    return Target(name, "aarch64-linux-gnu-gcc", options, (), ("qemu-aarch64", "-cpu", f"max,{length}"))


_MODULE = ("--target=wasm32", "-mbulk-memory", "-ffreestanding", "-nostdlib", "-Wl,--no-entry,--export=check_all")
_NODE = ("node", str(Path(__file__).with_name("check_module.mjs")))

TARGETS: tuple[Target, ...] = (
    Target("x86-64", "gcc"),
    Target("x86-64-native", "gcc", ("-march=native",)),
    Target("clang", "clang", ("-march=native",)),
    Target("aarch64", "aarch64-linux-gnu-gcc", ("-static",), (), ("qemu-aarch64",)),
    _sve("aarch64-sve256", "sve256=on"),
    _sve("aarch64-sve512", "sve512=on"),
    Target("armhf", "arm-linux-gnueabihf-gcc", ("-static", "-mfpu=vfpv4"), (), ("qemu-arm",)),
    Target("armhf-vfpv3", "arm-linux-gnueabihf-gcc", ("-static", "-mfpu=vfpv3-d16"), (), ("qemu-arm",)),
    Target("riscv64", "riscv64-linux-gnu-gcc", ("-static",), (), ("qemu-riscv64",)),
    Target("wasm", "clang", _MODULE, (), _NODE, module=True),
    cortex_m("cortex-m0", "mps2-an385", "-mcpu=cortex-m0", "-mfloat-abi=soft"),
    cortex_m("cortex-m4", "mps2-an386", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    cortex_m("cortex-m7", "mps2-an500", "-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
    cortex_m("cortex-m55", "mps3-an547", "-mcpu=cortex-m55", "-mfloat-abi=hard", ram="0x21000000"),
)
