/* The integers that stand for floats, against the floats of this processor: prints the first difference. */
#include <stdio.h>
#include <string.h>

#define MANY 3000000

static uint32_t state = 0x9E3779B9U;

static uint32_t random_bits(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static const uint32_t edges[] = {
    0U,          1U,          2U,          0x7FFFFFU,   0x800000U,   0x800001U,   0xFFFFFFU,   0x1000000U,  0x20000000U,
    0x33800000U, 0x34000001U, 0x3EFFFFFFU, 0x3F000000U, 0x3F000001U, 0x3F7FFFFFU, 0x3F800000U, 0x3F800001U, 0x3FC00000U,
    0x40200000U, 0x42FE8000U, 0x437E8000U, 0x437F0000U, 0x437F7FFFU, 0x437F8000U, 0x43800000U, 0x4B000000U, 0x4B7FFFFFU,
    0x4B800000U, 0x5F000000U, 0x7F000000U, 0x7F7FFFFFU, 0x7F800000U, 0x7F800001U, 0x7FC00000U, 0x7FFFFFFFU,
};
#define EDGES (sizeof edges / sizeof edges[0])

/* Random bits, or few of them set, or near an edge, or an exponent that meets another's. */
static uint32_t odd_bits(void) {
  const uint32_t u = random_bits(), kind = random_bits() % 5;
  if (kind == 0) return edges[u % EDGES] ^ (random_bits() & 0x80000000U);
  if (kind == 1) return u & random_bits() & random_bits();
  if (kind == 2) return (u & 0x80FFFFFFU) | (0x30000000U + (random_bits() & 0x1F000000U));
  if (kind == 3) return (u & 0x807FF000U) | (random_bits() % 256) << 23;
  return u;
}

static uint32_t scale_bits(void) {
  for (;;) {
    const uint32_t u = odd_bits() & 0x7FFFFFFFU;
    if (u != 0 && u < 0x7F800000U) return u;
  }
}

static int32_t odd_sum(void) {
  const int32_t n = (int32_t)random_bits() >> random_bits() % 32;
  return n == -0x7FFFFFFF - 1 ? 0 : n;
}

static int same(uint32_t a, uint32_t b) { return a == b || (a << 1 > 0xFF000000U && b << 1 > 0xFF000000U); }

static int32_t byte_of_float(float v, float low, float high) {
  v = v > low ? v : low;
  v = v < high ? v : high;
  return (int32_t)(bits_of(v + 12582912.0F) - 0x4B400000U);
}

static int check_times(uint32_t a, uint32_t b) {
  const uint32_t found = times(a, b), expected = bits_of(from_bits(a) * from_bits(b));
  if (same(found, expected)) return 0;
  printf("times(%08X, %08X): %08X, %08X expected\n", (unsigned)a, (unsigned)b, (unsigned)found, (unsigned)expected);
  return 1;
}

static int check_scaled(int32_t sum, uint32_t b) {
  const float scale = from_bits(b), product = (float)sum * scale;
  const uint32_t found = bits_of(scaled(sum, scale)), expected = bits_of(product);
  const uint32_t above = bits_of(scaled_relu(sum, scale));
  if (found == expected && above == bits_of(product > 0.0F ? product : 0.0F)) return 0;
  printf("scaled(%ld, %08X): %08X, %08X expected\n", (long)sum, (unsigned)b, (unsigned)found, (unsigned)expected);
  return 1;
}

static int check_whole(uint32_t u, int32_t zero) {
  const int32_t low = -zero, high = 255 - zero;
  const int32_t found = whole_of(u, low, high), expected = byte_of_float(from_bits(u), (float)low, (float)high);
  if (found == expected) return 0;
  printf("whole_of(%08X, zero %ld): %ld, %ld expected\n", (unsigned)u, (long)zero, (long)found, (long)expected);
  return 1;
}

static int32_t argmax_of_floats(const float* y, int32_t n) {
  int32_t best = 0;
  for (int32_t i = 1; i < n; ++i) {
    if (y[i] > y[best] || (y[best] != y[best] && y[i] == y[i])) best = i;
  }
  return best;
}

static int check_argmax(void) {
  float y[4];
  for (int i = 0; i < 4; ++i) y[i] = from_bits(odd_bits());
  if (random_bits() % 4 == 0) y[3] = -y[random_bits() % 3];
  if (random_bits() % 4 == 0) y[2] = y[0];
  const int32_t n = 1 + (int32_t)(random_bits() % 4);
  if (argmax(y, n) == argmax_of_floats(y, n)) return 0;
  printf("argmax of %ld values from %08X on differs\n", (long)n, (unsigned)bits_of(y[0]));
  return 1;
}

static int check_canonical(uint32_t u) {
  const float x = from_bits(u);
  const uint32_t expected = x != x ? 0x7FC00000U : u;
  if (bits_of(canonical(x)) == expected) return 0;
  printf("canonical(%08X): %08X\n", (unsigned)u, (unsigned)bits_of(canonical(x)));
  return 1;
}

static int check_edges(void) {
  for (size_t i = 0; i < 2 * EDGES; ++i) {
    const uint32_t a = edges[i / 2] | (uint32_t)(i % 2) << 31;
    for (size_t j = 0; j < EDGES; ++j) {
      if (edges[j] != 0 && edges[j] < 0x7F800000U && check_times(a, edges[j])) return 1;
    }
    for (int32_t zero = 0; zero < 256; ++zero) {
      if (check_whole(a, zero)) return 1;
    }
  }
  return 0;
}

/* Every float of a whole number and a half, and its neighbours. */
static int check_halves(void) {
  for (int32_t half = -600; half <= 600; ++half) {
    const uint32_t u = bits_of((float)half * 0.5F);
    for (uint32_t near = 0; near < 3; ++near) {
      if (check_whole(u + near - 1, half & 255)) return 1;
    }
  }
  return 0;
}

int main(void) {
  if (check_edges() || check_halves()) return 1;
  for (long i = 0; i < MANY; ++i) {
    if (check_times(odd_bits(), scale_bits())) return 1;
    if (check_scaled(odd_sum(), scale_bits())) return 1;
    if (check_whole(odd_bits(), (int32_t)(random_bits() & 255U))) return 1;
    if (check_canonical(odd_bits()) || check_argmax()) return 1;
  }
  return 0;
}
