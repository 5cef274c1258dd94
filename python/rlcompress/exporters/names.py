"""Names of exported networks: they prefix functions and macros, and name files."""

from __future__ import annotations

import re
from pathlib import Path

from rlcompress.errors import InvalidValueError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
    co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile
    wchar_t while xor xor_eq
"""
_MACROS = """
    EOF I INFINITY NAN NULL assert complex errno i386 linux mips noreturn offsetof setjmp signbit stderr stdin stdout
    unix va_arg va_copy va_end va_start
"""
_LIBRARY = """
    abort abs access acos accept alarm alloca asin atan atexit atof atoi atol bcmp bcopy bind brk bsearch bzero calloc
    ceil chdir chmod chown clearerr clock close connect cos cosh creat ctime daemon detail difftime div dup environ erf
    exec exit exp fabs fclose fdim feof ferror ffs floor fma fmax fmin fmod fopen fork fprintf fputs fread free frexp
    fscanf fseek ftell fwrite gamma getc getchar getenv gets getopt getpid gmtime hypot index ioctl isalnum isalpha
    isatty isdigit islower isspace isupper j0 j1 jn kill labs ldexp ldiv lgamma link listen llabs lldiv localtime log
    log10 log2 longjmp lrand48 lround lseek main malloc memchr memcmp memcpy memmove memset mktime modf nan nice open
    optarg opterr optind pause perror pipe poll pow printf putc putchar putenv puts qsort raise rand random read
    realloc recv remove rename rewind rindex rint round sbrk scanf select send shutdown signal signgam sin sinh sleep
    socket sprintf sqrt srand srandom sscanf stat std strcat strchr strcmp strcpy strdup strlen strncpy strstr strtok
    swab symlink sync system tan tanh tgamma time times timezone tmpfile tmpnam tolower toupper trunc tzname tzset
    umask ungetc unlink usleep utime wait write y0 y1 yn
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t intmax_t uintmax_t ptrdiff_t
    size_t ssize_t time_t clock_t float_t double_t div_t
"""
"""What headers of C declare outside a namespace: a namespace of that name does not compile."""

_HEADERS = """
    algorithm array bit cctype cerrno cfloat climits cmath cstddef cstdint cstdio cstdlib cstring ctime ctype cstdbool
    errno fenv float immintrin inttypes iso646 limits locale malloc math memory setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd utility wchar wctype
"""
"""Their NAME.h would stand in for the headers of these names."""

_RESERVED = frozenset(f"{_KEYWORDS} {_MACROS} {_LIBRARY} {_HEADERS}".split())


def checked_name(name: str) -> str:
    """The name, when it can prefix names in C and C++.

    Raises:
        InvalidValueError: it cannot.
    """
    if not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        raise InvalidValueError(
            f"name: letters, digits and _ after a letter, no word of C, C++ or their libraries, found {name!r}; "
            "give another one (--name)"
        )
    return name


def name_from(path: Path) -> str:
    """A name made of a file's: what C does not take becomes `_`."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", path.stem)[:63]
    return name if _IDENTIFIER.fullmatch(name) and name not in _RESERVED else f"policy_{name}"[:63]
