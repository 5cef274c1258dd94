/* Start-up of a Cortex-M, and the two services of a debugger (or of QEMU) that the example uses. */
#include "startup.h"

#include <stddef.h>

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[];

int main(void);
void reset(void);

static int semihost(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void print(const char* text) { semihost(0x04, text); }

void print_number(const char* label, uint32_t number) {
  char digits[12];
  char* at = digits + sizeof digits - 1;
  *at = '\0';
  do {
    *--at = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  print(label);
  print(at);
  print("\n");
}

void leave(int status) {
  const uint32_t reason[2] = {0x20026, (uint32_t)status}; /* ADP_Stopped_ApplicationExit */
  semihost(0x20, reason);
  for (;;) {
  }
}

/* What a compiler may call without being asked. */
void* memcpy(void* to, const void* from, size_t n) {
  unsigned char* t = to;
  const unsigned char* f = from;
  for (; n > 0; --n) *t++ = *f++;
  return to;
}

void* memset(void* to, int value, size_t n) {
  for (unsigned char* t = to; n > 0; --n) *t++ = (unsigned char)value;
  return to;
}

#define SYSTICK ((volatile uint32_t*)0xE000E010)

void start_ticks(void) {
  SYSTICK[1] = 0xFFFFFF;
  SYSTICK[2] = 0;
  SYSTICK[0] = 5;
}

uint32_t ticks(void) { return 0xFFFFFFU - SYSTICK[2]; }

void reset(void) {
#if defined(__ARM_FP)
  *(volatile uint32_t*)0xE000ED88 |= 0xFU << 20; /* CPACR: the floating-point unit on */
  __asm__ volatile("dsb\n isb");
#endif
  const uint32_t* from = data_image;
  for (uint32_t* to = data_start; to < data_end; ++to) *to = *from++;
  for (uint32_t* to = bss_start; to < bss_end; ++to) *to = 0;
  leave(main());
}

static void fault(void) {
  print("fault\n");
  leave(99);
}

/* After the first word, the top of the stack, which the linker script puts there. */
typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[15] = {reset, fault, fault,
                                                                               fault, fault, fault};
