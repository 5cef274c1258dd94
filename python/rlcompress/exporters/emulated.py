"""Exported C on an emulated core: what one inference takes there, in instructions."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rlcompress import artifact
from rlcompress.errors import InvalidValueError, MissingToolError
from rlcompress.exporters.c import c_source
from rlcompress.network import Network

BOARD = Path(__file__).resolve().parent / "board"
"""Start-up code and linker script, the same as in `examples/microcontroller`."""

COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
_PACKAGES = {COMPILER: "gcc-arm-none-eabi", EMULATOR: "qemu-system-arm"}
_BARE = ("-mthumb", "-ffunction-sections", "-fdata-sections", "-fno-tree-loop-distribute-patterns")
_MOST_REPEATS = 100
_MACS = 1_000_000
_SECONDS = 600.0

_MAIN = """\
#include "net.h"
#include "startup.h"
int main(void) {
  static net_workspace workspace;
  static float observation[NET_INPUT_SIZE], action[NET_ACTION_SIZE];
  if (net_self_test(&workspace) != 0) return 1;
  for (int i = 0; i < NET_INPUT_SIZE; ++i) observation[i] = 0.25F * (float)(i % 5) - 0.4F;
  start_ticks();
  for (int i = 0; i < REPEATS; ++i) net_run(observation, action, &workspace);
  print_number("", ticks());
  return 0;
}
"""


@dataclass(frozen=True)
class Core:
    """A core as a board of QEMU has it.

    Args:
        cpu: the compiler's options for it.
        machine: the board.
        ram: address of its memory.
        flash: address of code and constants; the vectors lie at 0, before them.
        flash_bytes: memory for code and constants.
        tick: instructions in one tick of the board's timer: the emulator's nanoseconds in a period of its clock.
    """

    cpu: tuple[str, ...]
    machine: str
    ram: str = "0x20000000"
    flash: str = "0x400"
    flash_bytes: int = (4 << 20) - 1024
    tick: float = 40.0

    @property
    def options(self) -> tuple[str, ...]:
        """Of the compiler, before the sources."""
        return (*self.cpu, *_BARE, "-I", str(BOARD))

    @property
    def link(self) -> tuple[str, ...]:
        """Of the compiler, after the sources."""
        script = ("-nostartfiles", "-nostdlib", "-T", str(BOARD / "board.ld"), "-Wl,--gc-sections")
        symbols = {"ram_base": self.ram, "flash_base": self.flash, "flash_bytes": self.flash_bytes}
        memory = (f"-Wl,--defsym={name}={value}" for name, value in symbols.items())
        return (*script, str(BOARD / "startup.c"), *memory, "-lgcc")

    @property
    def runner(self) -> tuple[str, ...]:
        """The command that runs a program, before its path: an instruction takes one nanosecond."""
        quiet = ("-nographic", "-monitor", "none", "-serial", "none", "-icount", "shift=0")
        return (
            EMULATOR,
            *quiet,
            "-M",
            self.machine,
            "-semihosting-config",
            "enable=on,target=native",
            "-kernel",
        )


CORES: dict[str, Core] = {
    "cortex-m0": Core(("-mcpu=cortex-m0", "-mfloat-abi=soft"), "mps2-an385"),
    "cortex-m4": Core(("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), "mps2-an386"),
    "cortex-m7": Core(("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"), "mps2-an500"),
    "cortex-m55": Core(("-mcpu=cortex-m55", "-mfloat-abi=hard"), "mps3-an547", "0x21000000", "0x60000000", tick=31.25),
}
"""Name -> core."""


def instructions(network: Network, name: str, level: str = "-O2") -> int:
    """Instructions of one inference of the exported C; not cycles: there is no cache and no wait for flash.

    Args:
        network: what to export.
        name: a core in `CORES`.
        level: the compiler's optimisation.

    Raises:
        InvalidValueError: no such core, or a network that does not fit the board.
        MissingToolError: the cross compiler or the emulator is not installed.
    """
    if name not in CORES:
        raise InvalidValueError(f"core: one of {', '.join(CORES)} expected, found {name!r}")
    for tool, package in _PACKAGES.items():
        if shutil.which(tool) is None:
            raise MissingToolError(tool, f"install it (Debian and Ubuntu: apt-get install {package})")
    core = CORES[name]
    made = c_source(artifact.decode(artifact.encode(network, golden=0)), "net")
    if made.constant_bytes > core.flash_bytes:
        raise InvalidValueError(
            f"core {name}: its board holds {core.flash_bytes:,} bytes, the constants alone take {made.constant_bytes:,}"
        )
    repeats = max(1, min(_MOST_REPEATS, _MACS // max(1, made.macs)))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for file, text in {"net.h": made.header, "net.c": made.source, "main.c": _MAIN}.items():
            (place / file).write_text(text, encoding="utf-8")
        program = place / "measure.elf"
        options = ("-std=c99", level, "-DNET_SELF_TEST", f"-DREPEATS={repeats}", "-I", folder)
        sources = (str(place / "main.c"), str(place / "net.c"))
        command = (COMPILER, *core.options, *options, *sources, *core.link, "-o", str(program))
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            raise InvalidValueError(f"core {name}: the network does not build: {built.stderr[-300:].strip()}")
        return round(_ticks(core, program) * core.tick / repeats)


def _ticks(core: Core, program: Path) -> int:
    """What the program prints.

    Raises:
        MissingToolError: the emulator does not run it.
    """
    done = subprocess.run([*core.runner, str(program)], capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise MissingToolError(EMULATOR, f"version 7 or later expected; the program ended with {done.returncode}")
    return int(done.stdout.strip() or done.stderr.strip())


def compiler_version() -> str:
    """The cross compiler's name and version."""
    done = subprocess.run([COMPILER, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"{COMPILER} {done.stdout.strip()}"
