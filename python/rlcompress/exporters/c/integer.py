"""C for integer dense records: bytes in, int8 weights, exact int32 sums."""

from __future__ import annotations

import numpy as np

from rlcompress.artifact.layout import padding
from rlcompress.exporters.c.rows import add_activation
from rlcompress.exporters.c.unit import Unit, spell
from rlcompress.layers import IntegerDense

_WIDTH = 4

_QUANTISE = """\
/* Bytes on the grid of the layer's inputs; q may be x. */
static void {name}(const float *x, {parameter}uint8_t *q, size_t n, float scale, float zero) {{
  for (size_t i = 0; i < n; ++i) {{
    float v = {value} * scale;
    v = v > -zero ? v : -zero;
    v = v < 255.0F - zero ? v : 255.0F - zero;
    q[i] = (uint8_t)(bits_of(v + 12582912.0F) - 0x4B400000U + (uint32_t)zero);
  }}
  for (; n % 4 != 0; ++n) q[n] = 0;
}}
"""

_DOT = """\
/* Four products of bytes and weights. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__GNUC__) && !defined(RLCOMPRESS_PORTABLE)
typedef struct { uint32_t even, odd; } four_bytes;
static inline four_bytes load_bytes(const uint8_t *q) {
  four_bytes x;
  uint32_t all;
  __builtin_memcpy(&all, q, 4);
  __asm__("uxtb16 %0, %1" : "=r"(x.even) : "r"(all));
  __asm__("uxtb16 %0, %1, ror #8" : "=r"(x.odd) : "r"(all));
  return x;
}
static inline int32_t dot_four(int32_t sum, four_bytes x, const int8_t *w) {
  uint32_t all, even, odd;
  __builtin_memcpy(&all, w, 4);
  __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(all));
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(all));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(even), "r"(x.even));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(odd), "r"(x.odd));
  return sum;
}
#else
typedef const uint8_t *four_bytes;
static inline four_bytes load_bytes(const uint8_t *q) { return q; }
static inline int32_t dot_four(int32_t sum, four_bytes x, const int8_t *w) {
  return sum + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
}
#endif
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
    name, parameter, value, array = "to_bytes", "", "x[i]", ""
    if layer.column_exponent is not None:
        name, parameter, value = "to_bytes_scaled", "const int8_t *e, ", "(x[i] * power_of_two(e[i]))"
        array = f"{unit.add_array(f'columns{index}', layer.column_exponent)}, "
        unit.needs.add("power")
    unit.add_kernel(name, _QUANTISE.format(name=name, parameter=parameter, value=value), "bits")
    numbers = f"{spell(layer.input_scale)}, {spell(layer.input_zero)}"
    unit.say(f"{name}({unit.here}, {array}(uint8_t *){target}, {inputs}, {numbers});")
    unit.move(buffer, target)


def _stream(layer: IntegerDense) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Weights in blocks of four outputs; in a block, for each four inputs, four weights of each output."""
    weight = np.pad(layer.weight, ((0, 0), (0, padding(layer.in_features))))
    blocks = [weight[j : j + _WIDTH] for j in range(0, len(weight), _WIDTH)]
    parts = [block.reshape(len(block), -1, 4).transpose(1, 0, 2).reshape(-1) for block in blocks]
    return np.ascontiguousarray(np.concatenate(parts), np.int8)


def _add_kernel(unit: Unit, width: int, relu: bool) -> str:
    name = f"integer_{width}{'_relu' if relu else ''}"
    unit.kernels.setdefault("dot_four", _DOT)
    sums = "".join(f"    int32_t s{b} = b[{b}];\n" for b in range(width))
    dots = "".join(f"      s{b} = dot_four(s{b}, x, w + {4 * b});\n" for b in range(width))
    value = "relu_of((float)s{b} * r[{b}])" if relu else "(float)s{b} * r[{b}]"
    ends = "".join(f"    y[{b}] = {value.format(b=b)};\n" for b in range(width))
    kernel = (
        f"static void {name}(const int8_t *w, const int32_t *b, const float *r, const uint8_t *q, float *y,\n"
        "    size_t groups, size_t blocks) {\n"
        f"  for (; blocks > 0; --blocks, b += {width}, r += {width}, y += {width}) {{\n"
        f"    const uint8_t *v = q;\n{sums}"
        f"    for (size_t n = groups; n > 0; --n, v += 4, w += {4 * width}) {{\n"
        f"      const four_bytes x = load_bytes(v);\n{dots}    }}\n{ends}  }}\n}}\n"
    )
    return unit.add_kernel(name, kernel, *(["relu"] if relu else []))
