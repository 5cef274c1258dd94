"""`Unit`: a C file under construction, and how numbers are spelt in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import Int8Array
from rlcompress.artifact.layout import pack_nibbles
from rlcompress.exporters.c.arithmetic import pieces
from rlcompress.exporters.c.flash import FLASH, MACRO, limit

_TYPES = {"f4": "float", "i1": "int8_t", "u1": "uint8_t", "u2": "uint16_t", "u4": "uint32_t", "i4": "int32_t"}
_LINE = 116
_SMALLER = "prune the network, or quantise it to 8 or 4 bits"


def spell(value: float) -> str:
    """A float32 as a C constant of exactly its value."""
    number = float(np.float32(value))
    if math.isinf(number):
        return "__builtin_inff()" if number > 0 else "-__builtin_inff()"
    if number == int(number) and abs(number) < 1 << 24:
        return "-0.0F" if number == 0 and math.copysign(1, number) < 0 else f"{int(number)}.0F"
    text = number.hex()
    digits, _, exponent = text.partition("p")
    digits = digits.rstrip("0") if "." in digits else digits
    return f"{digits.rstrip('.')}p{int(exponent)}F"


def table(name: str, values: npt.NDArray[Any], qualifier: str = "") -> str:
    """A constant array: it stays in flash, on AVR with the qualifier for it."""
    kind = values.dtype.str[1:]
    words = [spell(v) for v in values.tolist()] if kind == "f4" else [str(v) for v in values.tolist()]
    lines, line = [], " "
    for word in words:
        if len(line) + len(word) + 2 > _LINE:
            lines.append(line)
            line = " "
        line += f" {word},"
    aligned = " __attribute__((aligned(4)))" if kind == "i1" and values.size >= 4 else ""  # words of four are loaded
    return (
        f"static const {qualifier}{' ' if qualifier else ''}{_TYPES[kind]} {name}[{values.size}]{aligned} = {{\n"
        + "\n".join([*lines, line.rstrip(",")])
        + "};\n"
    )


@dataclass
class Unit:
    """What the layers of a network add to a C file, in order.

    Attributes:
        arrays: constants.
        needs: names of the pieces of arithmetic.
        kernels: text of the functions, by name.
        body: statements that run the network.
        floats: size of each of the two buffers of the workspace.
        here: the C expression of the values that the next layer reads, and its buffer (None = the observation).
    """

    arrays: list[tuple[str, npt.NDArray[Any]]] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)
    kernels: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    floats: list[int] = field(default_factory=lambda: [0, 0])
    here: str = "observation"
    buffer: int | None = None

    @property
    def constant_bytes(self) -> int:
        """Bytes of the arrays."""
        return sum(values.nbytes for _, values in self.arrays)

    def add_array(self, name: str, values: npt.NDArray[Any]) -> str:
        """Keep a constant array; its name."""
        self.arrays.append((name, values))
        return name

    def add_kernel(self, name: str, text: str, *needs: str) -> str:
        """Keep a function, once; its name."""
        self.kernels[name] = text
        self.needs.update(needs)
        return name

    def say(self, *statements: str) -> None:
        """Add statements to the function that runs the network."""
        self.body.extend(statements)

    def reserve(self, buffer: int, floats: int) -> str:
        """Make sure that a buffer holds so many values; its name."""
        self.floats[buffer] = max(self.floats[buffer], floats)
        return f"buffer{buffer}"

    def next_buffer(self, floats: int) -> tuple[int, str]:
        """A buffer other than the one that is read."""
        buffer = 0 if self.buffer is None else 1 - self.buffer
        return buffer, self.reserve(buffer, floats)

    def writable(self, floats: int) -> tuple[int, str]:
        """Where the present values may be overwritten: in place, but for the observation."""
        buffer = 0 if self.buffer is None else self.buffer
        return buffer, self.reserve(buffer, floats)

    def move(self, buffer: int, name: str) -> None:
        """The values are now in this buffer."""
        self.buffer, self.here = buffer, name

    @property
    def place(self) -> str:
        """The C expression of the present values outside the function that runs the network."""
        return "workspace->values" + (f" + {self.floats[0]}" if self.buffer == 1 and self.floats[0] else "")

    def text(self) -> str:
        """Pieces, constants and functions."""
        arrays = "".join(table(name, values, FLASH) for name, values in self.arrays)
        flash = MACRO + limit(self.constant_bytes, _SMALLER) if arrays else ""
        return "\n".join(part for part in (flash, pieces(self.needs), arrays, "\n".join(self.kernels.values())) if part)


def stream(values: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Weights as the C file holds them: float32, int8, or bytes of two nibbles."""
    if bits == 32:
        return np.asarray(values, "<f4")
    integers: Int8Array = np.asarray(values, np.int8)
    return np.frombuffer(pack_nibbles(integers), np.uint8) if bits == 4 else integers
