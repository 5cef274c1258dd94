// The avx512 target with the dot product of bytes in one instruction (AVX-512 VNNI).
#define RLCOMPRESS_AVX512_VNNI 1
#include "targets/avx512.cpp"
