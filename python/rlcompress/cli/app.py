"""`main`: the list of verbs, and what every verb does with errors and Ctrl-C."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click

from rlcompress.cli.cpp_folder import cpp_folder
from rlcompress.cli.exits import BAD_INPUT, INTERRUPTED
from rlcompress.engine.registry import ALGORITHMS
from rlcompress.errors import MissingFileError, RlcompressError
from rlcompress.kernels import __version__

DEBUG = "rlcompress.debug"

VERBS: dict[str, str] = {
    "neon-train": "Train the agent that picks NEON's moves.",
    "resume": "Continue the run of a folder.",
    "inspect": "Show what a policy file holds and test it.",
    "pack": "Write each layer in its fastest form.",
    "export": "Write a policy file as C source for a device.",
    "bench": "Measure the time of one inference.",
    "targets": "List the instruction sets of this build and machine.",
}
"""Verb and its line in the help; the command is `command` in the module `cli.<verb>`."""


def _debug_option() -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[DEBUG] = value or bool(ctx.meta.get(DEBUG))

    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=remember, help="Show where an error comes from."
    )


class Verbs(click.Group):
    """Commands that are imported when they are used, so that `--help` is quick and needs no optional package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*ALGORITHMS, *VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            command: click.Command = importlib.import_module(f"rlcompress.cli.{cmd_name.replace('-', '_')}").command
        elif cmd_name == "purl":  # its teacher and judge are files, not an environment
            command = importlib.import_module("rlcompress.cli.purl").purl_command()
        elif cmd_name in ("neon", "neon-paper"):
            command = importlib.import_module("rlcompress.cli.neon").neon_command(cmd_name)
        elif cmd_name in ALGORITHMS:
            command = importlib.import_module("rlcompress.cli.algorithm").algorithm_command(cmd_name)
        else:
            return None
        if not any(parameter.name == "debug" for parameter in command.params):
            command.params.append(_debug_option())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, f"Compress with the {name} algorithm.") for name in ALGORITHMS]
        with formatter.section("Commands"):
            formatter.write_dl([*rows, *VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (RlcompressError, OSError) as error:
            if ctx.meta.get(DEBUG) or isinstance(error, BrokenPipeError):
                raise
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            ctx.exit(BAD_INPUT)


def _print_folder(ctx: click.Context, _: click.Parameter, folder: str | None) -> None:
    if folder is None or ctx.resilient_parsing:
        return
    try:
        click.echo(cpp_folder(folder))
    except MissingFileError as error:
        click.echo(f"error: {error}", err=True)
        ctx.exit(BAD_INPUT)
    ctx.exit()


def _folder_option(name: str, folder: str, help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        name, flag_value=folder, default=None, is_eager=True, expose_value=False, callback=_print_folder, help=help
    )


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="rlcompress")
@_folder_option("--cmake-dir", "cmake", "Print the folder of the CMake package: -Drlcompress_DIR=FOLDER.")
@_folder_option("--include-dir", "include", "Print the folder of the C and C++ headers.")
def main() -> None:
    """Make trained policies and networks small enough for the edge, and prove that they still work.

    Exit status: 0 success, 1 finished but nothing was accepted or a self-test failed, 2 bad input, 130 interrupted.
    """


main.params.append(_debug_option())
