"""The command line: one file per verb, and a verb per registered algorithm."""

from __future__ import annotations

from rlcompress.cli.app import main

__all__ = ["main"]
