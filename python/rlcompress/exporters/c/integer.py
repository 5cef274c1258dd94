"""C for integer dense records: bytes in, int8 weights, exact int32 sums."""

from __future__ import annotations

import numpy as np

from rlcompress.artifact.layout import padding
from rlcompress.exporters.c.flash import FLASH
from rlcompress.exporters.c.rows import add_activation
from rlcompress.exporters.c.unit import Unit, spell
from rlcompress.layers import IntegerDense

_WIDTH = 4

_QUANTISE = """\
/* Bytes on the grid of the layer's inputs; q may be x. */
#if RLCOMPRESS_NO_FLOAT
static void {name}(const float *x, {parameter}uint8_t *q, size_t n, float scale, int32_t low, int32_t high) {{
  for (size_t i = 0; i < n; ++i) {{
    const uint32_t u = times({bits}, bits_of(scale));
    q[i] = (uint8_t)(whole_of(u, low, high) - low);
  }}
  for (; n % 4 != 0; ++n) q[n] = 0;
}}
#else
static void {name}(const float *x, {parameter}uint8_t *q, size_t n, float scale, float low, float high) {{
  const uint32_t zero = 0x4B400000U + (uint32_t)(int32_t)low;
  for (size_t i = 0; i < n; ++i) {{
    float v = {value} * scale;
    v = v > low ? v : low;
    v = v < high ? v : high;
    q[i] = (uint8_t)(bits_of(v + 12582912.0F) - zero);
  }}
  for (; n % 4 != 0; ++n) q[n] = 0;
}}
#endif
"""

_CONDITION = (
    "#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(RLCOMPRESS_PORTABLE)\n"
)
"""Two 16-bit products an instruction; there is at least one group."""

_GROUPS = """\
    __asm__ volatile(
        "1:\\n"
        "ldr %[q], [%[v]], #4\\n"
        "uxtb16 %[odd], %[q], ror #8\\n"
        "uxtb16 %[q], %[q]\\n"
{dots}        "cmp %[v], %[end]\\n"
        "bne 1b\\n"
        : [w] "+r"(w), [v] "+r"(v), {sums}, [q] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t), [u] "=&r"(u)
        : [end] "r"(v + 4 * groups)
        : "cc", "memory");
"""

_DOT = """\
        "ldr %[u], [%[w]], #4\\n"
        "sxtb16 %[t], %[u]\\n"
        "sxtb16 %[u], %[u], ror #8\\n"
        "smlad %[s{b}], %[t], %[q], %[s{b}]\\n"
        "smlad %[s{b}], %[u], %[odd], %[s{b}]\\n"
"""


def add_integer(unit: Unit, layer: IntegerDense, index: int) -> None:
    """Add a layer: its inputs as bytes, then four outputs at a time."""
    inputs, outputs = layer.in_features, layer.out_features
    _quantise(unit, layer, index)
    buffer, target = unit.next_buffer(outputs)
    relu = layer.activation == "relu"
    weights = unit.add_array(f"weights{index}", _stream(layer))
    bias = unit.add_array(f"bias{index}", layer.bias.astype("<i4"))
    scale = unit.add_array(f"scale{index}", layer.row_scale)
    groups = (inputs + 3) // 4
    whole = outputs // _WIDTH
    for first, width, count in ((0, _WIDTH, whole), (whole * _WIDTH, outputs % _WIDTH, 1)):
        if width == 0 or count == 0:
            continue
        name = _add_kernel(unit, width, relu)
        at = f" + {first}" if first else ""
        skip = f" + {first * 4 * groups}" if first else ""
        unit.say(
            f"{name}({weights}{skip}, {bias}{at}, {scale}{at}, (const uint8_t *){unit.here}, {target}{at}, "
            f"{groups}, {count});"
        )
    unit.move(buffer, target)
    if not relu:
        add_activation(unit, layer.activation, layer.alpha, outputs)


def _quantise(unit: Unit, layer: IntegerDense, index: int) -> None:
    inputs = layer.in_features
    buffer, target = unit.writable(inputs if unit.buffer is not None else (inputs + 3) // 4)
    name, parameter, value, bits, array = "to_bytes", "", "x[i]", "bits_of(x[i])", ""
    if layer.column_exponent is not None:
        name, parameter, value = "to_bytes_scaled", f"const {FLASH} int8_t *e, ", "(x[i] * power_of_two(e[i]))"
        array = f"{unit.add_array(f'columns{index}', layer.column_exponent)}, "
        bits = "times(bits_of(x[i]), bits_of(power_of_two(e[i])))"
        unit.needs.add("power")
    unit.add_kernel(name, _QUANTISE.format(name=name, parameter=parameter, value=value, bits=bits), "times")
    call = f"{name}({unit.here}, {array}(uint8_t *){target}, {inputs}, {spell(layer.input_scale)}"
    low, high = -layer.input_zero, 255 - layer.input_zero
    floats = f"{call}, {spell(-float(layer.input_zero))}, {spell(high)});"
    unit.say("#if RLCOMPRESS_NO_FLOAT", f"{call}, {low}, {high});", "#else", floats, "#endif")
    unit.move(buffer, target)


def _stream(layer: IntegerDense) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Weights in blocks of four outputs; in a block, for each four inputs, four weights of each output."""
    weight = np.pad(layer.weight, ((0, 0), (0, padding(layer.in_features))))
    blocks = [weight[j : j + _WIDTH] for j in range(0, len(weight), _WIDTH)]
    parts = [block.reshape(len(block), -1, 4).transpose(1, 0, 2).reshape(-1) for block in blocks]
    return np.ascontiguousarray(np.concatenate(parts), np.int8)


def _add_kernel(unit: Unit, width: int, relu: bool) -> str:
    name = f"integer_{width}{'_relu' if relu else ''}"
    sums = "".join(f"    int32_t s{b} = b[{b}];\n" for b in range(width))
    # int may have 16 bits, which one product fits and two overflow
    products = (" + ".join(f"(int32_t)(v[{i}] * w[{4 * b + i}])" for i in range(4)) for b in range(width))
    dots = "".join(f"      s{b} += {product};\n" for b, product in enumerate(products))
    scaled = "scaled_relu" if relu else "scaled"
    ends = "".join(f"    y[{b}] = {scaled}(s{b}, r[{b}]);\n" for b in range(width))
    names = ", ".join(f'[s{b}] "+r"(s{b})' for b in range(width))
    assembled = _GROUPS.format(dots="".join(_DOT.format(b=b) for b in range(width)), sums=names)
    kernel = (
        f"static void {name}(const {FLASH} int8_t *w, const {FLASH} int32_t *b, const {FLASH} float *r,\n"
        "    const uint8_t *q, float *y, size_t groups, size_t blocks) {\n"
        f"  for (; blocks > 0; --blocks, b += {width}, r += {width}, y += {width}) {{\n"
        f"    const uint8_t *v = q;\n{sums}{_CONDITION}    uint32_t even, odd, t, u;\n{assembled}#else\n"
        f"    for (size_t n = groups; n > 0; --n, v += 4, w += {4 * width}) {{\n{dots}    }}\n#endif\n{ends}  }}\n}}\n"
    )
    return unit.add_kernel(name, kernel, "scaled")
