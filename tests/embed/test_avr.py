"""Exported C where `int` has 16 bits: an ATmega under simavr."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embed.cross_check import GOLDEN
from embed.exported import stored, write_program
from rlcompress import artifact
from rlcompress.layers import IntegerDense
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
OPTIONS = ("-mmcu=atmega1284p", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Werror")


def wrong_networks(folder: Path, networks: list[Network], *options: str) -> int:
    """How many of at most nine networks give other bits there."""
    for tool in ("avr-gcc", "simavr"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    made = write_program(folder, networks)
    (folder / "main.c").write_text(MAIN, encoding="utf-8")
    switches = [f"-DN{index}_SELF_TEST" for index in range(len(networks))]
    sources = [*map(str, made.sources), str(folder / "main.c")]
    program = str(folder / "check.elf")
    build = ["avr-gcc", *OPTIONS, *options, *switches, *sources, "-o", program]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    run = ["simavr", "-m", "atmega1284p", "-f", "16000000", program]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"(\d)\.", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))
    assert found is not None, done.stdout + done.stderr
    return int(found.group(1))


def largest_products() -> Network:
    """Bytes of 255 times weights of 127: two of them pass 32,767."""
    weight = np.full((5, 8), 127, np.int8)
    return Network((IntegerDense(weight, np.zeros(5, np.int32), 100.0, 0, np.ones(5, np.float32)),))


@pytest.mark.parametrize("options", [("-std=c99",), ("-std=gnu11",), ("-std=c99", "-DRLCOMPRESS_NO_FLOAT=1")], ids=str)
def test_the_same_bits_where_int_has_16_bits(options: tuple[str, ...], tmp_path: Path) -> None:
    names = ("integer", "int4", "squash", "selected")
    golden = [artifact.load(GOLDEN / f"v1_{name}.rlc") for name in names]
    assert wrong_networks(tmp_path, [stored(largest_products()), *golden], *options) == 0
