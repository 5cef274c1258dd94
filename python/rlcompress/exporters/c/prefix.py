"""The policy's name before every name that a C file keeps to itself: several files may be compiled as one."""

from __future__ import annotations

import re

_OWN = re.compile(
    r"^(?:static (?:inline )?(?:__attribute__\(\(\w+\)\) )?(?:\w+ )+|#define (?=[a-z]))(\w+)[(\[]", re.MULTILINE
)
"""Functions and arrays at the start of a line, and the macros that stand for functions."""


def prefixed(text: str, name: str) -> str:
    """The text with `NAME_` before its static functions and arrays, in code alone.

    Args:
        text: of a C file, whose macros in capitals are the same in every one and stay as they are.
        name: of the policy.
    """
    own = set(_OWN.findall(text))
    spared = r"/\*.*?\*/|\"[^\"\n]*\"|^  [-\d][^\n]*"  # comments, text, the numbers of arrays
    words = re.compile(rf"{spared}|\b(?:{'|'.join(sorted(own))})\b", re.DOTALL | re.MULTILINE)
    return words.sub(lambda found: f"{name}_{found[0]}" if found[0] in own else found[0], text)
