"""Other ways to do the same work, one file per family: functions from a piece of work to a `Prepared` call.

Libraries are imported by `library`, so that an absent one is said in the table and stops nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

from timing import MissingError


def library(name: str) -> Any:
    """Import an optional library.

    Raises:
        MissingError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"{name.partition('.')[0]} is missing ({error})") from None


def public_name(module: str, name: str) -> Any:
    """A name of rlcompress that older commits, which are compared with newer ones, may not have.

    Raises:
        MissingError: this version has none.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise MissingError(f"this version has no {module}.{name}") from None
