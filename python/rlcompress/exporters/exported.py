"""What an exporter is asked for and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportOptions:
    """Where to and how.

    Args:
        folder: an existing folder.
        name: a C identifier.
        layout: a name in `LAYOUTS`.
    """

    folder: Path
    name: str
    layout: str = "plain"


@dataclass(frozen=True)
class CodeSize:
    """What a compiler made of the files.

    Args:
        target: compiler and options, and what the files contain besides the network.
        code_bytes: machine code, and constants that the compiler adds; of a library for Arduino with the self-test and
            its vectors, which are always compiled there.
        stack_bytes: bound of the stack: what all functions together take.
    """

    target: str
    code_bytes: int
    stack_bytes: int


@dataclass(frozen=True)
class Exported:
    """Files, and what they take on a device.

    Args:
        files: what was written.
        constant_bytes: exact flash of weights, biases, scales and indices.
        workspace_bytes: exact memory that the caller gives to an inference.
        macs: multiply-accumulates of one inference.
        code: size of the code, or None where no compiler was found, or where your program's compiler decides.
        stack_bytes: of the values between layers where there is no workspace for them; registers and calls are extra.
    """

    files: tuple[Path, ...]
    constant_bytes: int
    workspace_bytes: int
    macs: int
    code: CodeSize | None
    stack_bytes: int = 0

    @property
    def flash_bytes(self) -> int | None:
        """Constants and code, where a compiler has told."""
        return None if self.code is None else self.constant_bytes + self.code.code_bytes
