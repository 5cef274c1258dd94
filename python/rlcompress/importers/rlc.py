"""`.rlc` files, as a source like any other."""

from __future__ import annotations

from typing import Any

from rlcompress.errors import InvalidValueError
from rlcompress.importers.options import ImportOptions
from rlcompress.network import Network


def load_rlc(source: Any, options: ImportOptions) -> Network:
    """The network of an `.rlc` file, which carries its own contract.

    Raises:
        FormatError: malformed.
        InvalidValueError: options that only other formats take.
    """
    from rlcompress.artifact import load

    if options.action_range is not None:
        raise InvalidValueError(f"{source}: action_range: an .rlc file carries its action range; leave it out")
    return load(source)
