// The neon target with the dot product of signed bytes in one instruction (Armv8.2 FEAT_DotProd).
#define RLCOMPRESS_NEON_DOT 1
#include "targets/neon.cpp"
