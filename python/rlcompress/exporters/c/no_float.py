"""C text for processors without floating-point hardware: what float32 would give, bit for bit, in 32-bit integers."""

from __future__ import annotations

CHOICE = """\
/* Without floating-point hardware, what surrounds integer sums is computed in integers as well: the same bits.
   -DRLCOMPRESS_NO_FLOAT=1 or =0 overrides the choice. Not on AVR, whose library of floats is quicker. */
#if !defined(RLCOMPRESS_NO_FLOAT)
#if defined(RLCOMPRESS_SOFT_FLOAT) || defined(__SOFTFP__) || (defined(__arm__) && !defined(__ARM_FP)) || \\
    (defined(__riscv) && !defined(__riscv_flen) && !defined(__riscv_zfinx))
#define RLCOMPRESS_NO_FLOAT 1
#else
#define RLCOMPRESS_NO_FLOAT 0
#endif
#endif
"""

_PRODUCT = """\
/* whole + rest / 2^32, rounded to the nearest whole number, of two the even one. */
static inline uint32_t nearest(uint32_t whole, uint32_t rest) {
  return whole + (uint32_t)(rest > 0x80000000U - (whole & 1U));
}
/* Bits of the float m * 2^(e - 150) * b; m is at most 2^24, b the bits of a finite float >= 0. */
static __attribute__((noinline)) uint32_t product(uint32_t m, int32_t e, uint32_t b) {
  const int32_t eb = (int32_t)(b >> 23);
  b &= 0x7FFFFFU;
  e += eb - 126;
  if (eb != 0) b |= 0x800000U;
  else ++e;
  /* Halves of 12 bits: a product of 64 bits is a call on small processors. */
  const uint32_t mh = m >> 12, ml = m & 4095U, bh = b >> 12, bl = b & 4095U, middle = mh * bl + ml * bh;
  uint32_t low = ml * bl + ((middle & 4095U) << 12);
  uint32_t high = mh * bh + (middle >> 12) + (low >> 24);
  low <<= 8;
  if ((high | low) == 0) return 0;
  for (; high >> 16 == 0; low <<= 8, e -= 8) high = high << 8 | low >> 24;
  for (; high >> 23 == 0; low <<= 1, --e) high = high << 1 | low >> 31;
  if (e > 254) return 0x7F800000U;
  if (e < 1) {
    if (e < -23) return 0;
    low = high << (31 + e) | (uint32_t)(low != 0);
    high >>= 1 - e;
    e = 1;
  }
  return ((uint32_t)(e - 1) << 23) + nearest(high, low);
}
"""

SCALED = f"""\
#if RLCOMPRESS_NO_FLOAT
{_PRODUCT}\
/* (float)sum * scale */
static float scaled(int32_t sum, float scale) {{
  uint32_t m = sum < 0 ? 0U - (uint32_t)sum : (uint32_t)sum;
  int32_t n = 0;
  while (m >> n >> 24 != 0) ++n;
  if (n != 0) m = nearest(m >> n, m << (32 - n));
  return from_bits(product(m, 150 + n, bits_of(scale)) | ((uint32_t)sum & 0x80000000U));
}}
static inline __attribute__((unused)) float scaled_relu(int32_t sum, float scale) {{
  return sum > 0 ? scaled(sum, scale) : 0.0F;
}}
#else
#define scaled(sum, scale) ((float)(sum) * (scale))
#define scaled_relu(sum, scale) relu_of(scaled(sum, scale))
#endif
"""

TIMES = """\
#if RLCOMPRESS_NO_FLOAT
/* Bits of the product of a and a finite float >= 0; zeros, infinities and NaN stay what they are. */
static uint32_t times(uint32_t a, uint32_t b) {
  const int32_t e = (int32_t)(a >> 23 & 255U);
  const uint32_t m = a & 0x7FFFFFU;
  if (e == 255 || a << 1 == 0) return a;
  return (a & 0x80000000U) | (e != 0 ? product(m | 0x800000U, e, b) : product(m, 1, b));
}
/* The whole number nearest to the float of these bits, within low and high; NaN gives low. */
static int32_t whole_of(uint32_t u, int32_t low, int32_t high) {
  const uint32_t size = u & 0x7FFFFFFFU, m = (size & 0x7FFFFFU) | 0x800000U;
  if (size > 0x7F800000U) return low;
  int32_t whole = size < 0x3F000000U ? 0 : 256;
  if (size >= 0x3F000000U && size < 0x43800000U) {
    const uint32_t n = 150 - (size >> 23);
    whole = (int32_t)nearest(m >> n, m << (32 - n));
  }
  if ((u >> 31) != 0) whole = -whole;
  return whole < low ? low : whole > high ? high : whole;
}
#endif
"""

ARGMAX = """\
/* An integer that rises with the float of these bits: both zeros are 0, NaN is below all. */
static inline int32_t order_of(uint32_t u) {
  const uint32_t size = u & 0x7FFFFFFFU;
  if (size > 0x7F800000U) return -0x7FFFFFFF - 1;
  return u >> 31 ? -(int32_t)size : (int32_t)size;
}
/* Index of the first largest value; NaN never wins. */
static int32_t argmax(const float *y, int32_t n) {
  int32_t best = 0, largest = order_of(0xFFFFFFFFU);
  for (int32_t i = 0; i < n; ++i) {
    const int32_t order = order_of(bits_of(y[i]));
    if (order > largest) {
      largest = order;
      best = i;
    }
  }
  return best;
}
"""
