"""Names of exported networks: they prefix functions and macros, and name files."""

from __future__ import annotations

import re
from pathlib import Path

from rlcompress.errors import InvalidValueError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_RESERVED = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "auto",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "concept",
        "const",
        "constexpr",
        "continue",
        "decltype",
        "default",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "main",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "not",
        "nullptr",
        "operator",
        "or",
        "private",
        "protected",
        "public",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "template",
        "this",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
        "xor",
        "main",
        "std",
        "size_t",
    ]
)


def checked_name(name: str) -> str:
    """The name, when it can prefix names in C and C++.

    Raises:
        InvalidValueError: it cannot.
    """
    if not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        raise InvalidValueError(f"name: letters, digits and _ after a letter, no keyword of C or C++, found {name!r}")
    return name


def name_from(path: Path) -> str:
    """A name made of a file's: what C does not take becomes `_`."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", path.stem)[:63]
    return name if _IDENTIFIER.fullmatch(name) and name not in _RESERVED else f"policy_{name}"[:63]
