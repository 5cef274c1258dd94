"""The machine with AVX-512: its first file system, and a program run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from embed import bochs

PROGRAM = """
#include <stdio.h>
int main(int count, char** words) {
  FILE* file = fopen(words[count - 1], "r");
  printf("%d %d %c", count, __builtin_cpu_supports("avx512vnni") != 0, file == NULL ? '-' : fgetc(file));
  return 3;
}
"""


def test_linux_would_unpack_the_files_as_they_are() -> None:
    files = {"init": b"\x7fELF", "file0": bytes(range(256)), "file1": b""}
    assert _unpacked(bochs.archive(files)) == {"dev": b"", "dev/console": b"", **files}


@pytest.mark.skipif(bool(bochs.missing()), reason=f"not installed: {', '.join(bochs.missing())}")
def test_a_program_runs_on_a_processor_with_vnni(tmp_path: Path) -> None:
    source, program, file = tmp_path / "program.c", tmp_path / "program", tmp_path / "file"
    source.write_text(PROGRAM, encoding="utf-8")
    file.write_text("x", encoding="utf-8")
    subprocess.run(["gcc", "-static", source, "-o", program], check=True)
    done = subprocess.run(
        [bochs.COMMAND, "-cpu", bochs.AVX512[1], program, file, file], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("3 1 x", 3), done.stderr


def _unpacked(archive: bytes) -> dict[str, bytes]:
    """Files of a cpio archive (new ASCII format)."""
    files, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        start = -(-(at + 110 + length) // 4) * 4
        if name == "TRAILER!!!":
            return files
        files[name] = archive[start : start + size]
        at = -(-(start + size) // 4) * 4
