"""Ways to write a network in C: each gives files that define `int decide(const float *observation)`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from embed.exported import stored
from rlcompress.exporters.c import c_source
from rlcompress.exporters.c.unit import spell, table
from rlcompress.layers import Dense, IntegerDense
from rlcompress.network import Network

Maker = Callable[[Network], "dict[str, str] | None"]
_HEADER = "int decide(const float *observation);\n"
_ARGMAX = """\
static int largest(const float *y, int n) {
  int best = 0;
  for (int i = 1; i < n; ++i) if (y[i] > y[best]) best = i;
  return best;
}
"""


def ours(network: Network) -> dict[str, str]:
    """`rlcompress export --format c`."""
    made = c_source(stored(network), "net")
    decide = "static net_workspace workspace;\nint decide(const float *o) { return net_decide(o, &workspace); }\n"
    return {
        "contender.h": _HEADER,
        "net.h": made.header,
        "net.c": made.source,
        "contender.c": f'#include "net.h"\n{decide}',
    }


def plain_float(network: Network) -> dict[str, str]:
    """One loop over the outputs and one over the inputs, weights row by row, as converters of ONNX files write them."""
    text, sizes = [_ARGMAX], list(network.widths)
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, Dense)
        text.append(table(f"w{index}", layer.weight.reshape(-1)) + table(f"b{index}", layer.bias))
        last = "y[j] = s" if layer.activation == "identity" else "y[j] = s > 0.0F ? s : 0.0F"
        text.append(
            f"static void layer{index}(const float *x, float *y) {{\n"
            f"  for (int j = 0; j < {layer.out_features}; ++j) {{\n    float s = b{index}[j];\n"
            f"    for (int k = 0; k < {layer.in_features}; ++k) s += w{index}[j * {layer.in_features} + k] * x[k];\n"
            f"    {last};\n  }}\n}}\n"
        )
    buffers = "".join(f"static float out{i}[{size}];\n" for i, size in enumerate(sizes[1:]))
    calls = "".join(f"  layer{i}({f'out{i - 1}' if i else 'o'}, out{i});\n" for i in range(len(sizes) - 1))
    last_size = sizes[-1]
    decide = f"{buffers}int decide(const float *o) {{\n{calls}  return largest(out{len(sizes) - 2}, {last_size});\n}}\n"
    return {"contender.h": _HEADER, "contender.c": "".join(text) + decide}


def plain_int8(network: Network) -> dict[str, str]:
    """The same integers in plain loops."""
    text, sizes = ["#include <stdint.h>\n", _ARGMAX], list(network.widths)
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, IntegerDense)
        text.append(table(f"w{index}", layer.weight.reshape(-1)) + table(f"b{index}", layer.bias.astype(np.int32)))
        text.append(table(f"r{index}", layer.row_scale))
        last = "y[j] = v" if layer.activation == "identity" else "y[j] = v > 0.0F ? v : 0.0F"
        text.append(
            f"static void layer{index}(const float *x, float *y) {{\n  static uint8_t q[{layer.in_features}];\n"
            f"  for (int k = 0; k < {layer.in_features}; ++k) {{\n"
            f"    const float v = x[k] * {spell(layer.input_scale)} + {spell(layer.input_zero)};\n"
            "    q[k] = (uint8_t)(v <= 0.0F ? 0 : v >= 255.0F ? 255 : (int)(v + 0.5F));\n  }\n"
            f"  for (int j = 0; j < {layer.out_features}; ++j) {{\n    int32_t s = b{index}[j];\n"
            f"    for (int k = 0; k < {layer.in_features}; ++k) s += w{index}[j * {layer.in_features} + k] * q[k];\n"
            f"    const float v = (float)s * r{index}[j];\n    {last};\n  }}\n}}\n"
        )
    buffers = "".join(f"static float out{i}[{size}];\n" for i, size in enumerate(sizes[1:]))
    calls = "".join(f"  layer{i}({f'out{i - 1}' if i else 'o'}, out{i});\n" for i in range(len(sizes) - 1))
    decide = f"{buffers}int decide(const float *o) {{\n{calls}  return largest(out{len(sizes) - 2}, {sizes[-1]});\n}}\n"
    return {"contender.h": _HEADER, "contender.c": "".join(text) + decide}


def includes() -> list[Path]:
    """Folders of headers."""
    found = importlib.util.find_spec("emlearn")
    return [] if found is None or found.origin is None else [Path(found.origin).parent]


def emlearn(network: Network) -> dict[str, str] | None:
    """emlearn's own generator (its form with a table of layers)."""
    if not includes():
        return None
    from emlearn import net

    layers = network.dense_layers()
    weights, biases = [layer.weight.T for layer in layers], [layer.bias for layer in layers]
    code = net.c_generate_net_loadable([layer.activation for layer in layers], weights, biases, prefix="net")
    decide = "int decide(const float *o) { return net_predict(o, 8); }\n"
    return {"contender.h": _HEADER, "contender.c": code + decide}


MAKERS: dict[str, dict[str, Maker]] = {
    "float32": {
        "rlcompress": ours,
        "plain loops": plain_float,
        "emlearn": emlearn,
    },
    "int8": {"rlcompress": ours, "plain loops": plain_int8},
}
