"""`rlcompress export`: a policy file as source code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from rlcompress.exporters import FORMATS, LAYOUTS, Exported, export


@click.command("export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="c", show_default=True)
@click.option("--layout", type=click.Choice(list(LAYOUTS)), default="plain", show_default=True)
@click.option("-o", "--out", type=click.Path(), default=".", help="A folder (DIR/), or one of the files.")
@click.option("--name", help="Prefix of everything in the files; without it, the file's name.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(file: Path, form: str, layout: str, out: str, name: str | None, as_json: bool) -> None:
    """Write FILE (.rlc) as source code that gives the same bits, and print what it takes on a device."""
    written = export(file, form, out, name=name, layout=layout)
    click.echo(json.dumps(_plain(written), indent=1) if as_json else _text(written))


def _plain(written: Exported) -> dict[str, object]:
    found = asdict(written)
    found["files"] = [str(path) for path in written.files]
    found["flash_bytes"] = written.flash_bytes
    return found


def _text(written: Exported) -> str:
    memory = f"{written.workspace_bytes:,} bytes of workspace"
    code = "not measured: there is no GCC here"
    if written.stack_bytes:
        memory = f"no workspace; at least {written.stack_bytes:,} bytes of stack"
        code = "not measured: it is compiled with your program"
    if written.code is not None:
        code = f"{written.code.code_bytes:,} bytes ({written.code.target}); {written.flash_bytes:,} with the constants"
        memory += f", and at most {written.code.stack_bytes:,} bytes of stack"
    return "\n".join(
        [
            *(f"wrote {path}" for path in written.files),
            f"  constants  {written.constant_bytes:,} bytes of flash",
            f"  code       {code}",
            f"  memory     {memory}",
            f"  MACs       {written.macs:,}",
        ]
    )
