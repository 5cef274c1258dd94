"""Exported C as a library of the Arduino IDE and of PlatformIO."""

from __future__ import annotations

import json

from rlcompress.contract import Argmax
from rlcompress.exporters.c.source import CSource
from rlcompress.network import Network

_VERSION = "1.0.0"
_AVR = "On AVR the constants stay in flash where C is of the GNU dialect, which the Arduino IDE and PlatformIO use."
_ARCHITECTURES = (
    "avr,esp32,esp8266,mbed,mbed_nano,mbed_portenta,nrf52,renesas_portenta,renesas_uno,rp2040,sam,samd,stm32"
)


def library_files(network: Network, made: CSource) -> dict[str, str]:
    """Path in the library's folder -> text."""
    name = made.name
    return {
        "library.properties": _properties(made),
        "library.json": _platformio(made),
        "keywords.txt": _keywords(network, name),
        f"src/{name}.h": _with_self_test(made),
        f"src/{name}.c": made.source,
        f"examples/{name}_demo/{name}_demo.ino": _sketch(network, name),
    }


def _keywords(network: Network, name: str) -> str:
    functions = ["run", *(["decide"] if isinstance(network.contract.head, Argmax) else []), "self_test"]
    rows = [f"{name}_workspace\tKEYWORD1", *(f"{name}_{word}\tKEYWORD2" for word in functions)]
    return "".join(f"{row}\n" for row in rows)


def _with_self_test(made: CSource) -> str:
    """The header: a sketch cannot define a macro for the library's files, and the linker drops what is not called."""
    macro = f"{made.name.upper()}_SELF_TEST"
    first = "#include <stddef.h>\n"
    return made.header.replace(first, f"#ifndef {macro}\n#define {macro}\n#endif\n\n{first}", 1)


def _sentence(made: CSource) -> str:
    return f"The network {made.name}: {made.constant_bytes} bytes of constants, {made.workspace_bytes} of workspace."


def _properties(made: CSource) -> str:
    entries = {
        "name": made.name,
        "version": _VERSION,
        "author": "rlcompress",
        "maintainer": "rlcompress",
        "sentence": _sentence(made),
        "paragraph": f"{made.macs} multiply-accumulates an inference, no heap, the same bits everywhere. {_AVR}",
        "category": "Data Processing",
        "url": "",
        "architectures": _ARCHITECTURES,
        "includes": f"{made.name}.h",
    }
    return "".join(f"{key}={value}\n" for key, value in entries.items())


def _platformio(made: CSource) -> str:
    entries = {"name": made.name, "version": _VERSION, "description": _sentence(made)}
    return json.dumps({**entries, "frameworks": "*", "platforms": "*", "headers": f"{made.name}.h"}, indent=2) + "\n"


def _sketch(network: Network, name: str) -> str:
    big = name.upper()
    discrete = isinstance(network.contract.head, Argmax)
    decide = (
        f"  Serial.println({name}_decide(observation, &workspace));\n"
        if discrete
        else f"  {name}_run(observation, action, &workspace);\n"
        f"  for (int i = 0; i < {big}_ACTION_SIZE; ++i) Serial.println(action[i], 6);\n"
    )
    action = "" if discrete else f"static float action[{big}_ACTION_SIZE];\n"
    return f"""\
// Runs {name} once a second. Fill `observation` from your sensors.
#include <{name}.h>

static {name}_workspace workspace;
static float observation[{big}_INPUT_SIZE];
{action}
void setup() {{
  Serial.begin(115200);
  Serial.print("self-test (0 is right): ");
  Serial.println({name}_self_test(&workspace));
}}

void loop() {{
  const unsigned long start = micros();
{decide}  Serial.print("microseconds, printing included: ");
  Serial.println(micros() - start);
  delay(1000);
}}
"""
