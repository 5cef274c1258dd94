"""`rlcompress export`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from click.testing import CliRunner

from rlcompress.cli import main


def test_export_writes_c_and_says_what_it_takes(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    out.mkdir()
    done = runner.invoke(main, ["export", str(policy), "-o", str(out), "--name", "balance", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert [Path(path).name for path in found["files"]] == ["balance.h", "balance.c"]
    assert all(Path(path).parent == out for path in found["files"])
    assert found["macs"] == 36
    assert (out / "balance.c").read_text(encoding="utf-8").startswith('#include "balance.h"')
    text = runner.invoke(main, ["export", str(policy), "-o", str(out / "lander.h")]).output
    assert f"wrote {out / 'lander.h'}" in text
    assert "MACs       36" in text
    text = runner.invoke(main, ["export", str(policy), "--format", "cpp", "-o", str(out)]).output
    assert (out / f"{policy.stem}.hpp").exists()
    assert "code       not measured" in text


def test_export_refuses_in_one_line(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = runner.invoke(main, ["export", str(policy), "-o", str(tmp_path), "--name", "two words"])
    assert done.exit_code == 2
    assert "name: letters" in done.stderr


def test_export_says_what_to_do_with_a_zip(runner: CliRunner, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ppo.zip", "w") as archive:
        archive.writestr("data", "{}")
    done = runner.invoke(main, ["export", str(tmp_path / "ppo.zip"), "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert "Stable-Baselines3" in done.stderr
    assert "rlcompress.load_policy('ppo.zip').save('ppo.rlc')" in done.stderr
    assert "rlcompress pops --policy ppo.zip" in done.stderr
