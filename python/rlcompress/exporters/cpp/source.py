"""The header of a network in C++."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.artifact.layout import filled_outputs, has_wide_weights, index_type, partial_sums
from rlcompress.contract import Argmax, Clip, Contract, Squash
from rlcompress.exporters.c.arithmetic import REFUSALS, pieces
from rlcompress.exporters.c.rows import Rows
from rlcompress.exporters.c.unit import spell, table
from rlcompress.exporters.cpp.self_test import self_test
from rlcompress.exporters.cpp.text import CLOSE, HEADER, NEEDS, OPEN, TEMPLATES
from rlcompress.exporters.stored_vectors import GOLDEN
from rlcompress.layers import IntegerDense
from rlcompress.network import Network

LINE = 64
_INLINE = (
    "#if defined(__GNUC__)\n#define RLCOMPRESS_INLINE inline __attribute__((always_inline))\n#else\n"
    "#define RLCOMPRESS_INLINE inline\n#endif\n"
)


@dataclass(frozen=True)
class CppSource:
    """An exported network.

    Args:
        text: of the header.
        constant_bytes: of weights, biases, scales and indices.
        stack_bytes: of the values between layers, and of an integer layer's inputs as bytes.
    """

    text: str
    constant_bytes: int
    stack_bytes: int


@dataclass
class _Header:
    """A header under construction: constants, what they need, and the statements of `run`."""

    arrays: list[tuple[str, npt.NDArray[Any]]] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    pieces: set[str] = field(default_factory=set)
    body: list[str] = field(default_factory=list)
    stack_bytes: int = 0
    here: str = "observation.data()"

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.arrays.append((name, values))
        return f"detail::{name}"

    def template(self, name: str) -> None:
        if name not in self.templates:
            self.templates.append(name)
        self.pieces.update(NEEDS.get(name, ()))

    def call(self, template: str, parameters: str, *arguments: str) -> None:
        self.template(template)
        self.body.append(f"detail::{template}<{parameters}>({', '.join(arguments)});")

    def values(self, name: str, count: int) -> str:
        """Room for the values between two stages."""
        self.stack_bytes += 4 * count
        alignment = f"alignas({LINE}) " if 4 * count >= LINE else ""
        self.body.append(f"{alignment}float {name}[{count}];")
        return name


def cpp_source(network: Network, name: str, golden: int = GOLDEN) -> CppSource:
    """C++ for a network as its `.rlc` file holds it (a layer with a mask is a sparse record)."""
    header = _Header()
    _add_input(header, network.contract)
    for index, layer in enumerate(network.layers):
        if isinstance(layer, IntegerDense):
            _add_integer(header, layer, index)
            _add_activation(header, layer.activation, layer.alpha, layer.out_features)
        else:
            _add_dense(header, Rows.of(layer, index))
    head = _head(header, network)
    contract, big = network.contract, name.upper()
    parts = {
        "REFUSALS": REFUSALS,
        "OPEN": OPEN,
        "PARTS": _parts(header),
        "RUN": head,
        "CLOSE": CLOSE,
        "SELF_TEST": self_test(header.arrays, network, big, golden),
        "PARAMETERS": str(network.parameter_count),
        "MACS": str(network.macs),
        "INPUTS": str(contract.input_size),
        "ACTIONS": str(contract.action_size(network.output_size)),
        "NAME": name,
        "GUARD": f"RLCOMPRESS_{name}_HPP",
    }
    text = re.sub(r"\b(" + "|".join(parts) + r")\b", lambda found: parts[found.group(1)], HEADER)
    return CppSource(text, sum(values.nbytes for _, values in header.arrays), header.stack_bytes)


def _parts(header: _Header) -> str:
    """Arithmetic, templates and constants as C++: inline functions and variables."""
    texts = [pieces(header.pieces | {"bits"}), *(TEMPLATES[name] for name in header.templates)]
    functions = re.sub(r"^static (?:inline )?", "inline ", "\n".join(texts), flags=re.MULTILINE)
    constants = "\n".join(_constant(name, values) for name, values in header.arrays)
    return f"{_INLINE}\n{functions}\n{constants}"


def _constant(name: str, values: npt.NDArray[Any]) -> str:
    """An array; vector loads of longer ones stay within cache lines."""
    alignment = f"alignas({LINE}) " if values.nbytes >= 4 * LINE else ""
    return table(name, values).replace("static const ", f"{alignment}inline constexpr ", 1)


def _add_input(header: _Header, contract: Contract) -> None:
    count = contract.network_inputs
    if contract.selected is not None:
        indices = np.array(contract.selected, index_type(contract.input_size))
        selection = header.constant("selected", indices)
        target = header.values("read", count)
        header.call("select", str(count), header.here, selection, target)
        header.here = target
    if contract.normalisation is not None:
        kept = list(contract.kept_inputs)
        mean = header.constant("input_mean", contract.normalisation.mean[kept])
        scale = header.constant("input_scale", contract.normalisation.scale[kept])
        target = header.values("normal", count)
        clip = spell(contract.normalisation.clip)
        header.call("normalise", str(count), header.here, mean, scale, clip, target)
        header.here = target


def _scale_columns(header: _Header, exponents: npt.NDArray[np.int8], index: int) -> None:
    factor = header.constant(f"columns{index}", np.exp2(exponents.astype(np.float32)))
    target = header.values(f"x{index}", exponents.size)
    header.call("scale_columns", str(exponents.size), header.here, factor, target)
    header.here = target


def _add_dense(header: _Header, rows: Rows) -> None:
    index = rows.index
    if rows.column is not None:
        _scale_columns(header, rows.column, index)
    start = "nullptr"
    if rows.start != "zero":
        start = header.constant(f"start{index}", rows.bias.astype(np.float32))
    target = header.values(f"y{index}", rows.outputs)
    relu = rows.activation == "relu" and rows.row is None and rows.mask is None
    if rows.mask is None:
        _add_sums(header, rows, relu, start, target)
    else:
        kind = index_type(rows.inputs)
        # An array of nothing is no C++: a weight that is never read stands in its place.
        kept, columns = rows.weight[rows.mask], np.nonzero(rows.mask)[1].astype(kind)
        weights = header.constant(f"weights{index}", kept if kept.size else np.zeros(1, rows.weight.dtype))
        counts = header.constant(f"counts{index}", np.count_nonzero(rows.mask, axis=1).astype(kind))
        indices = header.constant(f"indices{index}", columns if columns.size else np.zeros(1, kind))
        header.call("sparse", str(rows.outputs), weights, start, counts, indices, header.here, target)
    header.here = target
    if rows.row is not None:
        factors = np.array([rows.factor_of(j) for j in range(rows.outputs)], np.float32)
        factor = header.constant(f"scale{index}", factors)
        bias = header.constant(f"bias{index}", rows.bias) if rows.late_bias else "nullptr"
        header.call("scale_rows", str(rows.outputs), target, factor, bias)
    if not relu:
        _add_activation(header, rows.activation, rows.alpha, rows.outputs)


def _add_sums(header: _Header, rows: Rows, relu: bool, start: str, target: str) -> None:
    """Outputs in lanes, or inputs where each of four or more neighbours has a partial sum of its own."""
    sums, name, then = partial_sums(rows.inputs, rows.outputs), f"weights{rows.index}", "true" if relu else "false"
    header.template("lanes")
    if sums >= 4:
        weights = header.constant(name, rows.weight.reshape(-1))
        sizes = f"{rows.inputs}, {rows.outputs}, {sums}, {then}"
        header.call("dense_rows", sizes, weights, start, header.here, target)
    else:
        weight = np.ascontiguousarray(rows.weight.T)
        wide = has_wide_weights(rows.bits, weight.size, sparse=False)
        stride = filled_outputs(rows.outputs) if wide else rows.outputs
        padded = np.pad(weight, ((0, 0), (0, stride - rows.outputs)))
        weights = header.constant(name, padded.reshape(-1))
        sizes = f"{rows.inputs}, {rows.outputs}, {stride}, {sums}, {then}"
        header.call("dense_columns", sizes, weights, start, header.here, target)


def _add_integer(header: _Header, layer: IntegerDense, index: int) -> None:
    if layer.column_exponent is not None:
        _scale_columns(header, layer.column_exponent, index)
    weights = header.constant(f"weights{index}", layer.weight.reshape(-1))
    bias = header.constant(f"bias{index}", layer.bias.astype("<i4"))
    scale = header.constant(f"scale{index}", layer.row_scale)
    grid = spell(layer.input_scale), spell(-float(layer.input_zero)), spell(255 - layer.input_zero)
    target = header.values(f"y{index}", layer.out_features)
    header.stack_bytes += layer.in_features  # the inputs as bytes
    sizes = f"{layer.in_features}, {layer.out_features}"
    header.call("integer_dense", sizes, weights, bias, scale, *grid, header.here, target)
    header.here = target


def _add_activation(header: _Header, activation: str, alpha: float, outputs: int) -> None:
    if activation == "identity":
        return
    header.pieces.add(f"{activation}_all")
    parameter = f", {spell(alpha)}" if activation in ("elu", "leaky_relu") else ""
    header.body.append(f"detail::{activation}_all({header.here}, {outputs}{parameter});")


def _head(header: _Header, network: Network) -> str:
    """`run`, and for actions with a number `decide`."""
    head, outputs = network.contract.head, str(network.output_size)
    arguments = "(const std::array<float, input_size>& observation) noexcept"
    if isinstance(head, Argmax):
        header.templates.append("argmax")
        start = f"{head.start} + " if head.start else ""
        header.body.append(f"if (scores != nullptr) __builtin_memcpy(scores, {header.here}, sizeof {header.here});")
        header.body.append(f"return {start}detail::argmax<{outputs}>({header.here});")
        return (
            "namespace detail {\n// scores: null, or where the values go that the action is chosen by.\n"
            "RLCOMPRESS_INLINE std::int32_t decide(const std::array<float, input_size>& observation, float* scores) "
            f"noexcept {{\n{_lines(header)}}}\n}}  // namespace detail\n\n"
            f"// The number of the action.\ninline std::int32_t decide{arguments} {{\n"
            "  return detail::decide(observation, nullptr);\n}\n\n"
            f"inline std::array<float, action_size> run{arguments} {{\n"
            "  return {static_cast<float>(decide(observation))};\n}\n"
        )
    header.body.append("std::array<float, action_size> action;")
    if isinstance(head, (Clip, Squash)):
        names = ("low", "high", "scale", "offset")
        arrays = [header.constant(f"action_{name}", getattr(head, name)) for name in names]
        header.call(f"head_{head.kind}", outputs, header.here, *arrays, "action.data()")
    else:
        header.call("head_raw", outputs, header.here, "action.data()")
    header.body.append("return action;")
    return f"inline std::array<float, action_size> run{arguments} {{\n{_lines(header)}}}\n"


def _lines(header: _Header) -> str:
    return "".join(f"  {line}\n" for line in header.body)
