"""C text of "Arithmetic 1" (`docs/format.md`): the pieces that an exported file takes from, each with what it needs."""

from __future__ import annotations

from collections.abc import Iterable

from rlcompress.exporters.c import no_float
from rlcompress.exporters.c.flash import FLASH

REFUSALS = """\
#if !defined(__GNUC__)
#error "GCC, Clang or a compiler that takes their extensions (it defines __GNUC__) expected"
#endif
/* Every result is fixed to the bit, so the compiler must neither reorder nor contract floating-point operations. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \\
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "compile this file without -ffast-math and its parts: they change results"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "float must be evaluated as float; on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
"""


def float_control(word: str) -> str:
    """The pragma for Clang, which ignores it on processors other than x86 and AArch64, and says so."""
    return (
        '#pragma clang diagnostic push\n#pragma clang diagnostic ignored "-Wignored-pragmas"\n'
        f"#pragma float_control({word})\n#pragma clang diagnostic pop\n"
    )


PRECISE = f"""\
/* Clang tells of few parts of -ffast-math. "precise" allows contraction, so that is switched off after it. */
{float_control("precise, on")}\
#if __clang_major__ >= 13
#pragma clang fp reassociate(off)
#endif
#if __clang_major__ >= 18
#pragma clang fp reciprocal(off)
#endif
#pragma STDC FP_CONTRACT OFF
"""
"""What undoes the options of Clang that change results, for the rest of a file or up to a pop."""

GUARD = f"""\
{REFUSALS}\
#if defined(__clang__)
{PRECISE}\
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
/* Vectors of floats on a Cortex-M (MVE) flush subnormal numbers to zero. */
#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE & 2
#if defined(__clang__)
#error "compile this file without floating-point vectors: -mcpu=cortex-m55+nomve.fp"
#elif defined(__GNUC__)
#pragma GCC optimize("no-tree-vectorize,no-tree-slp-vectorize")
#endif
#endif
/* GCC 12 loses lanes when it turns floats into bytes in SVE vectors of more than 128 bits. */
#if defined(__ARM_FEATURE_SVE) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("+nosve")
#endif
"""

_BITS = """\
/* Which of the two a network needs depends on the processor. */
static inline __attribute__((unused)) uint32_t bits_of(float x) {
  union { float f; uint32_t u; } v;
  v.f = x;
  return v.u;
}
static inline __attribute__((unused)) float from_bits(uint32_t u) {
  union { uint32_t u; float f; } v;
  v.u = u;
  return v.f;
}
"""

_FUSED = """\
/* a * b + c, rounded once. */
#if !defined(RLCOMPRESS_SOFT_FLOAT) && (defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__) || \\
    defined(__ARM_FEATURE_FMA) || defined(__riscv_flen))
static inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#elif !defined(RLCOMPRESS_SOFT_FLOAT) && __SIZEOF_DOUBLE__ == 8 && !defined(__SOFTFP__) && \\
    !(defined(__riscv) && !defined(__riscv_flen))
/* The product fits a double; the sum is rounded to odd, so that rounding it again to float is right. */
static float fused(float a, float b, float c) {
  union { double f; uint64_t u; } s;
  const double p = (double)a * (double)b;
  const double d = (double)c;
  s.f = p + d;
  const double back = s.f - p;
  const double error = (p - (s.f - back)) + (d - back);
  if ((error > 0.0 || error < 0.0) && (s.u & 1U) == 0) s.u += (error > 0.0) == (s.f > 0.0) ? 1U : ~(uint64_t)0;
  return (float)s.f;
}
#else
/* Processors without floating-point hardware: integers alone. */
static uint64_t shift_jam(uint64_t m, int32_t n) {
  return n == 0 ? m : n > 63 ? (uint64_t)(m != 0) : m >> n | (uint64_t)((m << (64 - n)) != 0);
}
static uint32_t fraction_of(uint32_t u, int32_t *exponent) {
  uint32_t m = u & 0x7FFFFFU;
  *exponent = (int32_t)(u >> 23 & 255U);
  if (*exponent != 0) return m | 0x800000U;
  for (*exponent = 1; m < 0x800000U; m <<= 1) --*exponent;
  return m;
}
static float fused(float a, float b, float c) {
  const uint32_t ua = bits_of(a), ub = bits_of(b), uc = bits_of(c);
  const uint32_t sign = (ua ^ ub) & 0x80000000U;
  int32_t ea, eb, ec;
  if ((ua & 0x7F800000U) == 0x7F800000U || (ub & 0x7F800000U) == 0x7F800000U) return a * b + c;
  if ((uc & 0x7F800000U) == 0x7F800000U) return c;
  if (ua << 1 == 0 || ub << 1 == 0) return a * b + c;
  if (uc << 1 == 0) return a * b;
  const uint32_t ma = fraction_of(ua, &ea), mb = fraction_of(ub, &eb), mc = fraction_of(uc, &ec);
  uint64_t p = (uint64_t)ma * mb << 14, q = (uint64_t)mc << 38;
  int32_t e = ea + eb - 164 - 150; /* p * 2^e and q * 2^(ec - 188) */
  const int32_t apart = e - (ec - 188);
  if (apart >= 0) {
    q = shift_jam(q, apart);
  } else {
    p = shift_jam(p, -apart);
    e = ec - 188;
  }
  uint32_t s = sign;
  if (((uc ^ sign) & 0x80000000U) == 0) {
    p += q;
  } else if (p >= q) {
    p -= q;
  } else {
    p = q - p;
    s ^= 0x80000000U;
  }
  if (p == 0) return 0.0F;
  for (; p < (uint64_t)1 << 46; p <<= 16) e -= 16;
  for (; p < (uint64_t)1 << 62; p <<= 1) --e;
  e += 62 + 127;
  if (e >= 255) return from_bits(s | 0x7F800000U);
  if (e < 1) {
    p = shift_jam(p, 1 - e);
    e = 0;
  }
  uint32_t m = (uint32_t)(p >> 39);
  const uint64_t rest = p & (((uint64_t)1 << 39) - 1), half = (uint64_t)1 << 38;
  m += (uint32_t)(rest > half || (rest == half && (m & 1U) != 0));
  return from_bits(s | ((e > 0 ? (uint32_t)(e - 1) << 23 : 0U) + m));
}
#endif
"""

_EXP = """\
static float exp_of(float x) {
  if (x != x) return x;
  x = x < -104.5F ? -104.5F : x > 89.5F ? 89.5F : x;
  const float shifted = fused(x, 0x1.715476p0F, 12582912.0F);
  const int32_t n = (int32_t)(bits_of(shifted) - 0x4B400000U);
  const int32_t half = (n - (n & 1)) / 2;
  const float t = shifted - 12582912.0F;
  float r = fused(t, -0.693359375F, x);
  r = fused(t, 2.12194440e-4F, r);
  float q = fused(0x1.6a2352p-10F, r, 0x1.123a6cp-7F);
  q = fused(q, r, 0x1.5558f4p-5F);
  q = fused(q, r, 0x1.55549p-3F);
  q = fused(q, r, 0x1.fffffcp-2F);
  const float y = fused(q, r * r, r) + 1.0F;
  return y * from_bits((uint32_t)(half + 127) << 23) * from_bits((uint32_t)(n - half + 127) << 23);
}
"""

_SIGMOID = """\
static float sigmoid_of(float x) {
  const float e = exp_of(from_bits(bits_of(x) | 0x80000000U));
  return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}
"""

_TANH = """\
static float tanh_of(float x) {
  const float a = from_bits(bits_of(x) & 0x7FFFFFFFU);
  float y;
  if (a < 0.625F) {
    const float t = a * a;
    float q = fused(-0x1.75ddcep-8F, t, 0x1.5225cp-6F);
    q = fused(q, t, -0x1.b83c3ap-5F);
    q = fused(q, t, 0x1.110726p-3F);
    q = fused(q, t, -0x1.555532p-2F);
    y = fused(q, t * a, a);
  } else {
    y = 1.0F - 2.0F / (exp_of(a + a) + 1.0F);
  }
  return from_bits((bits_of(y) & 0x7FFFFFFFU) | (bits_of(x) & 0x80000000U));
}
"""

_MAP = """\
static void {name}_all(float *y, size_t n{parameter}) {{
  for (size_t i = 0; i < n; ++i) y[i] = {value};
}}
"""

_GELU = """\
static float gelu_of(float y) {
  const float inner = fused(0x1.6e4e26p-5F * (y * y), y, y);
  return 0.5F * y * (1.0F + tanh_of(0x1.988454p-1F * inner));
}
"""


def _map(name: str, value: str, alpha: bool = False) -> str:
    return _MAP.format(name=name, value=value, parameter=", float alpha" if alpha else "")


_PIECES: dict[str, tuple[tuple[str, ...], str]] = {
    "bits": ((), _BITS),
    "fused": (("bits",), _FUSED),
    "no_float": ((), no_float.CHOICE),
    "relu": (
        (),
        "static inline __attribute__((unused)) float relu_of(float y) { return y > 0.0F ? y : 0.0F; }\n",
    ),
    "scaled": (("bits", "no_float", "relu"), no_float.SCALED),
    "times": (("scaled",), no_float.TIMES),
    "exp": (("bits", "fused"), _EXP),
    "sigmoid": (("exp",), _SIGMOID),
    "tanh": (("exp",), _TANH),
    "gelu": (("tanh",), _GELU),
    "relu_all": (("relu",), _map("relu", "relu_of(y[i])")),
    "tanh_all": (("tanh",), _map("tanh", "tanh_of(y[i])")),
    "sigmoid_all": (("sigmoid",), _map("sigmoid", "sigmoid_of(y[i])")),
    "elu_all": (("exp",), _map("elu", "y[i] > 0.0F ? y[i] : alpha * (exp_of(y[i]) - 1.0F)", True)),
    "silu_all": (("sigmoid",), _map("silu", "y[i] * sigmoid_of(y[i])")),
    "gelu_all": (("gelu",), _map("gelu", "gelu_of(y[i])")),
    "leaky_relu_all": ((), _map("leaky_relu", "y[i] > 0.0F ? y[i] : alpha * y[i]", True)),
    "power": (
        ("bits",),
        "static inline float power_of_two(int8_t e) { return from_bits((uint32_t)(e + 127) << 23); }\n",
    ),
    "nibble": (
        (),
        f"static inline float nibble(const {FLASH} uint8_t *w, size_t i) {{\n"
        "  return (float)((int32_t)(((uint32_t)w[i / 2] >> (4 * (i & 1U)) & 15U) ^ 8U) - 8);\n}\n",
    ),
    "bounded": (
        (),
        "static inline float bounded(float y, float low, float high) {\n"
        "  return y < low ? low : y > high ? high : y;\n}\n",
    ),
    "canonical": (
        ("bits",),
        "#if defined(RLCOMPRESS_NO_FLOAT) && RLCOMPRESS_NO_FLOAT\n"
        "static inline float canonical(float y) {\n"
        "  return bits_of(y) << 1 > 0xFF000000U ? from_bits(0x7FC00000U) : y;\n}\n"
        "#else\n"
        "static inline float canonical(float y) { return y != y ? from_bits(0x7FC00000U) : y; }\n"
        "#endif\n",
    ),
}
"""Name -> what it needs, and its text; in an order in which a C file can hold them."""


def pieces(names: Iterable[str]) -> str:
    """C text of the named pieces and of all that they need."""
    wanted: set[str] = set()

    def want(name: str) -> None:
        wanted.add(name)
        for needed in _PIECES[name][0]:
            want(needed)

    for name in names:
        want(name)
    return "".join(text for name, (_, text) in _PIECES.items() if name in wanted)
