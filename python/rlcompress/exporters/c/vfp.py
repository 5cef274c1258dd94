"""The block of `blocks.py` as assembly for the floating-point unit of a Cortex-M (Thumb-2): eight weights per load."""

from __future__ import annotations

from collections.abc import Iterator

CONDITION = (
    "#if defined(__thumb2__) && defined(__ARM_FEATURE_FMA) && defined(__GNUC__) && \\\n"
    "    !defined(RLCOMPRESS_SOFT_FLOAT) && !defined(RLCOMPRESS_PORTABLE)"
)
_WEIGHTS, _INPUTS, _BATCH = 16, 24, 8
"""Registers: sums from s0, weights from s16, inputs from s24."""


def _load(pointer: str, first: int, count: int) -> str:
    names = f"s{first}" if count == 1 else f"s{first}-s{first + count - 1}"
    return f"vldmia %[{pointer}]!, {{{names}}}"


def _steps(sums: int, width: int) -> Iterator[str]:
    """The products of `sums` inputs with `width` weights each."""
    count, loaded = sums * width, 0
    for first in range(0, count, _BATCH):
        batch = range(first, min(first + _BATCH, count))
        yield _load("w", _WEIGHTS, len(batch))
        last = batch[-1] // width + 1
        while loaded < last:  # inputs live in s24 + p % 8
            place = loaded % _BATCH
            number = min(last - loaded, _BATCH - place)
            yield _load("v", _INPUTS + place, number)
            loaded += number
        for i in batch:
            p, b = divmod(i, width)
            yield f"vfma.f32 s{p * width + b}, s{_WEIGHTS + i - first}, s{_INPUTS + p % _BATCH}"


def _starts(sums: int, width: int, start: str) -> Iterator[str]:
    if start != "zero":
        yield _load("w" if start == "stream" else "b", 0, width)
    for i in range(0 if start == "zero" else width, sums * width):
        yield f"vmov s{i}, %[zero]"


def _ends(sums: int, width: int, relu: bool) -> Iterator[str]:
    half = sums // 2
    while half:
        for i in range(half * width):
            yield f"vadd.f32 s{i}, s{i}, s{i + half * width}"
        half //= 2
    if relu:  # NaN is not above zero
        yield f"vmov s{_WEIGHTS}, %[zero]"
        for b in range(width):
            yield from (f"vcmp.f32 s{b}, #0.0", "vmrs APSR_nzcv, fpscr", "it le", f"vmovle.f32 s{b}, s{_WEIGHTS}")
    names = "s0" if width == 1 else f"s0-s{width - 1}"
    yield f"vstmia %[y]!, {{{names}}}"


def block(sums: int, width: int, tail: int, start: str, relu: bool) -> list[str]:
    """Lines of C that run one block: `w`, `b` and `y` go up past it."""
    lines = [
        *_starts(sums, width, start),
        "cbz %[n], 2f",
        "1:",
        *_steps(sums, width),
        "subs %[n], %[n], #1",
        "bne 1b",
        "2:",
        *_steps(tail, width),
        *_ends(sums, width, relu),
    ]
    bias = ', [b] "+r"(b)' if start == "array" else ""
    clobbered = [f'"s{i}"' for i in range(32)]
    return [
        "const float *v = x;",
        "size_t n = steps;",
        "__asm__ volatile(",
        *(f'    "{line}\\n"' for line in lines),
        f'    : [w] "+r"(w), [v] "+r"(v), [y] "+r"(y), [n] "+l"(n){bias}',
        '    : [zero] "r"(0)',
        f'    : "cc", "memory", {", ".join(clobbered[:16])},',
        f"      {', '.join(clobbered[16:])});",
    ]
