"""`python -m rlcompress`: the command line."""

from __future__ import annotations

from rlcompress.cli import main

if __name__ == "__main__":
    main(prog_name="rlcompress")
