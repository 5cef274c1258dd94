"""C for dense layers in blocks: sixteen sums in registers, each weight and each input read once for all of them.

The weights of a block lie in the order in which they are used, so that reading them is one pointer that goes up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rlcompress.artifact.layout import partial_sums
from rlcompress.exporters.c import vfp
from rlcompress.exporters.c.flash import FLASH
from rlcompress.exporters.c.rows import Rows
from rlcompress.exporters.c.unit import Unit, stream

SUMS_IN_FLIGHT = 16
_ELEMENT = {32: "float", 8: "int8_t", 4: "uint8_t"}


def add_blocks(unit: Unit, rows: Rows, target: str) -> None:
    """Add a layer as whole blocks of outputs and one block of what is left."""
    sums = partial_sums(rows.inputs, rows.outputs)
    most = SUMS_IN_FLIGHT // sums
    whole = rows.outputs // most
    parts = [_block(rows, j, most, sums) for j in range(0, whole * most, most)]
    if rows.outputs % most:
        parts.append(_block(rows, whole * most, rows.outputs % most, sums))
    weights = unit.add_array(f"weights{rows.index}", np.concatenate(parts))
    bias = unit.add_array(f"bias{rows.index}", rows.bias) if rows.start == "array" else None
    at = 0
    for first, width, count in ((0, most, whole), (whole * most, rows.outputs % most, 1)):
        if width == 0 or count == 0:
            continue
        kernel = _Block(rows.bits, sums, width, rows.inputs % sums, rows.start, rows.relu_in_block)
        unit.add_kernel(kernel.name, kernel.text, "fused", *(["relu"] if rows.relu_in_block else []))
        start = "" if bias is None else f"{bias} + {first}, " if first else f"{bias}, "
        places = f"{weights} + {at}" if at else weights, f"{target} + {first}" if first else target
        steps = f"{rows.inputs // sums}, {count}"
        unit.say(f"{kernel.name}({places[0]}, {start}{unit.here}, {places[1]}, {steps});")
        at += sum(part.size for part in parts[:count])


def _block(rows: Rows, first: int, width: int, sums: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """The stream of one block: its starts, then the weights of each input in turn."""
    own = slice(first, first + width)
    start = rows.bias[own] if rows.start == "stream" else rows.weight[:0, 0]
    if rows.bits == 4 and start.size % 2:
        start = np.append(start, np.int8(0))  # the weights begin with a byte
    weight = rows.weight[own].T
    if rows.bits == 4 and sums * width % 2:
        weight = np.pad(weight, ((0, 0), (0, 1)))  # so does each input
    return stream(np.concatenate([start, weight.reshape(-1)]), rows.bits)


class _Block:
    """The C function of one kind of block.

    Args:
        bits: of a weight.
        sums: partial sums of an output.
        width: outputs of a block.
        tail: inputs after the last whole step of `sums`.
        start: see `Rows`.
        relu: whether the outputs are bounded below.
    """

    def __init__(self, bits: int, sums: int, width: int, tail: int, start: str, relu: bool) -> None:
        self.bits, self.sums, self.width, self.tail, self.start, self.relu = bits, sums, width, tail, start, relu
        self.stride = width + (bits == 4 and sums * width % 2)
        marks = {"zero": "", "stream": "_bias", "array": "_array"}[start] + ("_relu" if relu else "")
        self.name = f"dense_{'f' if bits == 32 else 'i'}{bits}_{sums}x{width}_{tail}{marks}"

    def weight(self, i: int) -> str:
        """The i-th weight from the pointer on, as a float."""
        if self.bits == 32:
            return f"w[{i}]"
        if self.bits == 8:
            return f"(float)w[{i}]"
        if i % 2:
            return f"(float)((int8_t)w[{i // 2}] >> 4)"
        return f"(float)((int32_t)((w[{i // 2}] & 15U) ^ 8U) - 8)"

    def size(self, count: int) -> int:
        """Elements of the stream that hold so many weights."""
        return (count + 1) // 2 if self.bits == 4 else count

    def steps(self, count: int) -> Iterator[str]:
        for p in range(count):
            for b in range(self.width):
                yield f"s{p}_{b} = fused({self.weight(p * self.stride + b)}, v[{p}], s{p}_{b});"

    def starts(self) -> Iterator[str]:
        for p in range(self.sums):
            for b in range(self.width):
                first = {"zero": "0.0F", "stream": self.weight(b), "array": f"b[{b}]"}[self.start]
                yield f"float s{p}_{b} = {first if p == 0 else '0.0F'};"

    def folds(self) -> Iterator[str]:
        half = self.sums // 2
        while half:
            for p in range(half):
                for b in range(self.width):
                    yield f"s{p}_{b} = s{p}_{b} + s{p + half}_{b};"
            half //= 2

    @property
    def text(self) -> str:
        bias = f"const {FLASH} float *b, " if self.start == "array" else ""
        pointers = f"const {FLASH} {_ELEMENT[self.bits]} *w, {bias}const float *x, float *y"
        head = f"static void {self.name}({pointers}, size_t steps, size_t blocks) {{"
        if self.bits != 32:
            return "\n".join([head, *self.loop, "}"]) + "\n"
        assembled = vfp.block(self.sums, self.width, self.tail, self.start, self.relu)
        lines = [
            *(head, vfp.CONDITION, "  for (; blocks > 0; --blocks) {"),
            *(f"    {line}" for line in assembled),
            *("  }", "#else", *self.loop, "#endif", "}"),
        ]
        return "\n".join(lines) + "\n"

    @property
    def loop(self) -> list[str]:
        """The function's body in C."""
        ends = [f"y[{b}] = {f'relu_of(s0_{b})' if self.relu else f's0_{b}'};" for b in range(self.width)]
        bias = f", b += {self.width}" if self.start == "array" else ""
        after = [f"w += {self.size(self.tail * self.stride)};"] if self.tail else []
        return [
            f"  for (; blocks > 0; --blocks, y += {self.width}{bias}) {{",
            "    const float *v = x;",
            *(f"    {line}" for line in self.starts()),
            *([f"    w += {self.size(self.width)};"] if self.start == "stream" else []),
            f"    for (size_t n = steps; n > 0; --n, v += {self.sums}, w += {self.size(self.sums * self.stride)}) {{",
            *(f"      {line}" for line in self.steps(self.sums)),
            "    }",
            *(f"    {line}" for line in (*self.steps(self.tail), *after, *self.folds(), *ends)),
            "  }",
        ]
