#!/usr/bin/env python3
"""Runs a static x86-64 Linux program on a processor that this machine may not have: AVX-512 and VNNI in Bochs.

    python tests/embed/bochs.py -cpu corei7_icelake_u PROGRAM FILE...

Files are given to the program under names of their own; what it prints and its exit status come back. QEMU emulates no
AVX-512. Needs Debian's packages bochs, bochsbios, vgabios, isolinux and xorriso, and a Linux: /boot/vmlinuz-*, or the
file that RLCOMPRESS_LINUX names (`apt-get download`, then `dpkg -x`, of linux-image-*-cloud-amd64). Starting takes
about a minute.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

COMMAND = str(Path(__file__).resolve())
AVX512 = ("corei7_skylake_x", "corei7_icelake_u")
"""Processors with AVX-512: without VNNI and with it."""

LINUX = "RLCOMPRESS_LINUX"
ISOLINUX = (Path("/usr/lib/ISOLINUX/isolinux.bin"), Path("/usr/lib/syslinux/modules/bios/ldlinux.c32"))
FIRMWARE = (Path("/usr/share/bochs/BIOS-bochs-latest"), Path("/usr/share/bochs/VGABIOS-lgpl-latest"))
INIT = Path(__file__).with_name("bochs_init.c")
SECONDS = 7200

# Bochs lays the protection keys' part of XSAVE out as no processor does, and Linux stalls on some of what it emulates:
# both are left out.
BOOT = """SERIAL 0 115200
DEFAULT check
PROMPT 0
TIMEOUT 1
LABEL check
 KERNEL vmlinuz
 APPEND initrd=initrd console=ttyS0,115200 quiet loglevel=0 nokaslr lpj=1000000 tsc=reliable mitigations=off \
rcu_expedited lsm=capability nox2apic lapic=notscdeadline idle=halt no_timer_check \
apparmor=0 clearcpuid=pku,xsaves,xsavec,fsrm,umip,rdpid,gfni,vaes,la57 rdinit=/init
"""
MACHINE = """cpu: model={cpu}, count=1, ips=50000000, reset_on_triple_fault=0
megs: 512
romimage: file={firmware[0]}
vgaromimage: file={firmware[1]}
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial
display_library: rfb, options="timeout=0"
panic: action=fatal
error: action=ignore
info: action=ignore
log: bochs.log
"""


def linux() -> Path | None:
    """The Linux that starts there, or None."""
    named = os.environ.get(LINUX)
    found = [Path(named)] if named else sorted(Path("/boot").glob("vmlinuz-*"))
    return next((path for path in reversed(found) if path.is_file()), None)


def missing() -> list[str]:
    """What is not installed of what a run needs."""
    commands = [name for name in ("gcc", "bochs", "xorriso") if shutil.which(name) is None]
    files = [str(path) for path in (*ISOLINUX, *FIRMWARE) if not path.exists()]
    return [*commands, *files, *([] if linux() else [f"/boot/vmlinuz-* (or {LINUX})"])]


def version() -> str:
    """Of the emulator, where it is installed."""
    if shutil.which("bochs") is None:
        return "no Bochs"
    done = subprocess.run(["bochs", "--help"], capture_output=True, text=True, check=False)
    return next((line.strip() for line in done.stdout.splitlines() if "Emulator" in line), "Bochs")


def archive(files: dict[str, bytes]) -> bytes:
    """A file system of executable files beside a console, as Linux unpacks it (cpio, new ASCII format)."""
    entries: list[tuple[str, int, bytes, int, int]] = [("dev", 0o40755, b"", 0, 0), ("dev/console", 0o20600, b"", 5, 1)]
    entries += [(name, 0o100755, content, 0, 0) for name, content in files.items()]
    return b"".join(_entries([*entries, ("TRAILER!!!", 0, b"", 0, 0)]))


def _entries(entries: list[tuple[str, int, bytes, int, int]]) -> Iterator[bytes]:
    for number, (name, mode, content, major, minor) in enumerate(entries, start=1):
        text = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(text), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + text
        yield head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def run(cpu: str, program: Path, files: list[Path]) -> subprocess.CompletedProcess[str]:
    """The program on that processor.

    Raises:
        CalledProcessError: the machine cannot be made.
        TimeoutExpired: it does not end.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_disc(folder, program, files)
        (folder / "bochsrc").write_text(MACHINE.format(cpu=cpu, firmware=FIRMWARE), encoding="utf-8")
        (folder / "debugger").write_text("continue\n", encoding="utf-8")  # Debian's Bochs waits in its debugger
        command = ["bochs", "-q", "-f", "bochsrc", "-rc", "debugger"]
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=SECONDS)
        serial = folder / "serial"
        printed = serial.read_bytes().decode(errors="replace").replace("\r", "") if serial.exists() else ""
    before, started, after = printed.partition("STARTED\n")
    output, ended, status = after.rpartition("\nSTATUS ")
    if not started or not ended:
        return subprocess.CompletedProcess(command, 1, "", f"the machine did not come to its end: {before[-500:]}")
    return subprocess.CompletedProcess(command, int(status.split()[0]), output.lstrip("\n"), "")


def _write_disc(folder: Path, program: Path, files: list[Path]) -> None:
    """`boot.iso`: Linux, and the program with its files as the first file system."""
    names = [f"/file{number}" for number in range(len(files))]
    arguments = "-DARGUMENTS=" + ",".join(f'"{name}"' for name in names)
    subprocess.run(["gcc", "-O1", "-static", arguments, INIT, "-o", folder / "init"], check=True)
    content = {"init": (folder / "init").read_bytes(), "program": program.read_bytes()}
    content |= {name.lstrip("/"): file.read_bytes() for name, file in zip(names, files, strict=True)}
    disc, system = folder / "disc", linux()
    disc.mkdir()
    (disc / "initrd").write_bytes(archive(content))
    (disc / "isolinux.cfg").write_text(BOOT, encoding="utf-8")
    for path in ISOLINUX:
        shutil.copy(path, disc)
    assert system is not None, missing()
    shutil.copy(system, disc / "vmlinuz")
    boot = ("-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", folder / "boot.iso", *boot, disc], check=True, capture_output=True
    )


def main() -> int:
    """Run the program, print what it printed, return its status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=version())
    parser.add_argument("-cpu", required=True, help="a model of `bochs --help cpu`")
    parser.add_argument("program", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    if missing():
        parser.error(f"not installed: {', '.join(missing())}")
    done = run(given.cpu, given.program, given.files)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
