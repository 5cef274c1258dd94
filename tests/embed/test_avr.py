"""Exported C where `int` has 16 bits: an ATmega under simavr."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from embed.cross_check import GOLDEN
from embed.exported import defines, stored, write_program
from embed.records import networks
from rlcompress import artifact
from rlcompress.exporters.c import CSource, c_source
from rlcompress.exporters.c.flash import FLASH, REACH
from rlcompress.layers import Dense, IntegerDense
from rlcompress.network import Network

MAIN = """\
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
int check(int *first);
int main(void) {
  int first = -1;
  const int wrong = check(&first);
  UCSR0B = 1 << TXEN0;
  UDR0 = (unsigned char)('0' + wrong);
  while (!(UCSR0A & (1 << UDRE0))) {
  }
  UDR0 = '\\n';
  cli();
  sleep_mode();
  return 0;
}
"""
SELF_TEST = """\
#include "net.h"
int check(int *first);
int check(int *first) {
  static net_workspace workspace;
  return *first = net_self_test(&workspace);
}
"""
ROOMY, SMALL = "atmega1284p", "atmega328p"
SMALL_RAM = 2048
OPTIONS = ("-Os", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")


def need_tools() -> None:
    for tool in ("avr-gcc", "avr-size", "simavr"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def compiled(device: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    need_tools()
    command = ["avr-gcc", f"-mmcu={device}", *OPTIONS, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def result_of_check(device: str, folder: Path, *words: str | Path) -> int:
    """What `check` of these sources gives on this device; the program is `check.elf` in the folder."""
    (folder / "main.c").write_text(MAIN, encoding="utf-8")
    program = folder / "check.elf"
    built = compiled(device, *words, folder / "main.c", "-o", program)
    assert built.returncode == 0, built.stderr[-3000:]
    run = ["simavr", "-m", device, "-f", "16000000", str(program)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"(\d)\.", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))
    assert found is not None, done.stdout + done.stderr
    return int(found.group(1))


def wrong_networks(folder: Path, networks: list[Network], *options: str) -> int:
    """How many of at most nine networks give other bits there."""
    need_tools()
    made = write_program(folder, networks)
    return result_of_check(ROOMY, folder, *options, *defines(len(networks)), *made.sources)


def written(network: Network, folder: Path) -> CSource:
    """`net.h` and `net.c`, and a `check` that runs the self-test."""
    made = c_source(stored(network), "net")
    for file, text in (("net.h", made.header), ("net.c", made.source), ("check.c", SELF_TEST)):
        (folder / file).write_text(text, encoding="utf-8")
    return made


def sections(file: Path) -> dict[str, int]:
    """Name -> bytes."""
    table = subprocess.run(["avr-size", "-A", str(file)], capture_output=True, text=True, check=True).stdout
    return {row[0]: int(row[1]) for row in map(str.split, table.splitlines()) if row[:1] and row[0][0] == "."}


def largest_products() -> Network:
    """Bytes of 255 times weights of 127: two of them pass 32,767."""
    weight = np.full((5, 8), 127, np.int8)
    return Network((IntegerDense(weight, np.zeros(5, np.int32), 100.0, 0, np.ones(5, np.float32)),))


@pytest.mark.parametrize("options", [("-std=c99",), ("-std=gnu11",), ("-std=c99", "-DRLCOMPRESS_NO_FLOAT=1")], ids=str)
def test_the_same_bits_where_int_has_16_bits(options: tuple[str, ...], tmp_path: Path) -> None:
    names = ("integer", "int4", "sparse", "squash", "selected")
    golden = [artifact.load(GOLDEN / f"v1_{name}.rlc") for name in names]
    assert wrong_networks(tmp_path, [stored(largest_products()), *golden], *options) == 0


@pytest.mark.parametrize("options", [(), ("-flto",)], ids=str)
def test_constants_of_more_than_the_ram_stay_in_flash(options: tuple[str, ...], tmp_path: Path) -> None:
    made = written(networks()["int8-8-64-64-4"], tmp_path)
    assert made.constant_bytes > 2 * SMALL_RAM
    words = ("-std=gnu11", "-DNET_SELF_TEST", *options, tmp_path / "net.c", tmp_path / "check.c")
    assert result_of_check(SMALL, tmp_path, *words) == 0
    found = sections(tmp_path / "check.elf")
    assert found.get(".data", 0) == 0
    assert made.workspace_bytes <= found[".bss"] < SMALL_RAM / 2


def test_strict_c_has_constants_in_ram(tmp_path: Path) -> None:
    written(networks()["int8-8-64-64-4"], tmp_path)
    built = compiled(SMALL, "-std=c99", tmp_path / "net.c", "-c", "-o", tmp_path / "net.o")
    assert built.returncode == 0, built.stderr[-3000:]
    found = sections(tmp_path / "net.o")
    assert found[".rodata"] > SMALL_RAM
    assert ".progmem.data" not in found


def test_only_a_self_test_has_constants_where_the_weights_are_in_the_code(tmp_path: Path) -> None:
    made = written(networks()["cartpole-int4"], tmp_path)
    assert FLASH not in made.source.partition("#ifdef NET_SELF_TEST")[0]
    words = ("-std=gnu11", "-DNET_SELF_TEST", tmp_path / "net.c", tmp_path / "check.c")
    assert result_of_check(SMALL, tmp_path, *words) == 0
    assert sections(tmp_path / "check.elf").get(".data", 0) == 0


@pytest.mark.parametrize("sizes", [(64, 64, 64, 64, 64, 4), (440, 16, 64, 64, 16, 4)], ids=["network", "vectors"])
def test_more_than_an_avr_reads_is_refused(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Too many constants, or too many with the vectors of the self-test."""
    weights = [np.ones((outputs, inputs), np.float32) for inputs, outputs in pairwise(sizes)]
    made = written(Network(tuple(Dense(weight, np.ones(len(weight), np.float32)) for weight in weights)), tmp_path)
    words = (tmp_path / "net.c", "-c", "-o", tmp_path / "net.o")
    assert (compiled(ROOMY, "-std=gnu11", *words).returncode != 0) == (made.constant_bytes > REACH)
    built = compiled(ROOMY, "-std=gnu11", "-DNET_SELF_TEST", *words)
    assert "bytes of constants: an AVR reads those in the first 64 KiB of flash" in built.stderr
    assert ("leave the self-test out" in built.stderr) == (made.constant_bytes <= REACH)
    built = compiled(ROOMY, "-std=c99", *words)
    assert built.returncode == 0, built.stderr[-3000:]
