"""`rlcompress targets`: instruction sets."""

from __future__ import annotations

import json

import click


@click.command("targets")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(as_json: bool) -> None:
    """List the instruction sets that this build has, that this machine can run, and the one in use."""
    from rlcompress import kernels

    compiled, available = kernels.targets(available=False), kernels.targets()
    active = kernels.active_target()
    if as_json:
        click.echo(json.dumps({"compiled": list(compiled), "available": list(available), "active": active}))
        return
    for name in compiled:
        state = "active" if name == active else "available" if name in available else "not on this machine"
        click.echo(f"{name:10} {state}")
