"""Exported C as a library of the Arduino IDE and of PlatformIO."""

from __future__ import annotations

import json

from rlcompress.contract import Argmax
from rlcompress.exporters.c.source import CSource
from rlcompress.network import Network

_VERSION = "1.0.0"


def library_files(network: Network, made: CSource) -> dict[str, str]:
    """Path in the library's folder -> text."""
    name = made.name
    return {
        "library.properties": _properties(made),
        "library.json": _platformio(made),
        "keywords.txt": "".join(f"{name}_{word}\tKEYWORD2\n" for word in ("run", "decide", "self_test", "workspace")),
        f"src/{name}.h": made.header,
        f"src/{name}.c": made.source,
        f"examples/{name}_demo/{name}_demo.ino": _sketch(network, name),
    }


def _sentence(made: CSource) -> str:
    return f"The network {made.name}: {made.constant_bytes} bytes of constants, {made.workspace_bytes} of workspace."


def _properties(made: CSource) -> str:
    entries = {
        "name": made.name,
        "version": _VERSION,
        "author": "rlcompress",
        "maintainer": "rlcompress",
        "sentence": _sentence(made),
        "paragraph": f"{made.macs} multiply-accumulates an inference, no heap, the same bits on every processor.",
        "category": "Data Processing",
        "url": "",
        "architectures": "*",
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
}}

void loop() {{
  const unsigned long start = micros();
{decide}  Serial.print("microseconds, printing included: ");
  Serial.println(micros() - start);
  delay(1000);
}}
"""
