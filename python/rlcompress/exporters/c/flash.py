"""Where constants of exported C lie: on AVR in flash, which has addresses and instructions of its own."""

from __future__ import annotations

FLASH = "RLCOMPRESS_FLASH"
"""Qualifier of every constant array and of every pointer to one."""

REACH = 65_536 - 256
"""Bytes that an AVR's address space for flash reaches, less the interrupt vectors that lie before them."""

_CONDITION = "#if defined(__FLASH) && !defined(__STRICT_ANSI__) && !defined(__AVR_TINY__)\n"

MACRO = f"""\
/* An AVR copies plain constants to RAM at start. Its address space for flash keeps them there; only GNU C has that
   (-std=gnu11), not the strict dialects (-std=c99). */
{_CONDITION}\
#define {FLASH} __flash
#else
#define {FLASH}
#endif
"""


def limit(constant_bytes: int, remedy: str) -> str:
    """C that stops an AVR's compiler where the address space does not reach all constants."""
    if constant_bytes <= REACH:
        return ""
    found = f"{constant_bytes} bytes of constants: an AVR reads those in the first 64 KiB of flash; {remedy}"
    return f'{_CONDITION}#error "{found}"\n#endif\n'
