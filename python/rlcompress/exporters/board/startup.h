/* What start-up code gives to a program: text to the debugger, an exit, and a counter. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

void print(const char* text);
void print_number(const char* label, uint32_t number);
void leave(int status);

/* SysTick on the processor's clock: at most 0xFFFFFF ticks between the two. */
void start_ticks(void);
uint32_t ticks(void);

#endif
