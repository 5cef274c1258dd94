"""Independent oracle for "Arithmetic 1" of `docs/format.md`: NumPy, clear and slow, sharing no code with the package.

It takes a `Network` for its numbers alone. Every function works on float32 arrays and returns the exact bits that each
target must return.
"""

from __future__ import annotations

from typing import Any

import numpy as np

F = np.float32
CANONICAL_NAN = np.uint32(0x7FC00000)


def hexf(text: str) -> np.float32:
    """A float32 constant from its hexadecimal spelling."""
    return F(float.fromhex(text))


def fma(a: Any, b: Any, c: Any) -> Any:
    """float32 a * b + c, rounded once.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd (to nearest, then moved to the odd
    neighbour on the side of the error), so that the second rounding, to float32, ends where a single one would.
    """
    product = np.asarray(a, F).astype(np.float64) * np.asarray(b, F).astype(np.float64)
    addend = np.asarray(c, F).astype(np.float64)
    total = np.asarray(product + addend)
    part = total - product  # two-sum (Knuth): total + error is the exact sum
    error = (product - (total - part)) + (addend - part)
    inexact = np.isfinite(total) & (error != 0)
    even = (total.view(np.int64) & 1) == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact & even, np.nextafter(total, toward), total).astype(F)


def power_of_two(exponent: Any) -> Any:
    return np.ldexp(F(1), np.asarray(exponent, np.int32)).astype(F)


def partial_sums(inputs: int, outputs: int) -> int:
    if outputs <= 32 and inputs >= 64:
        return 16
    if outputs <= 16:
        return 4
    return 2 if outputs < 128 else 1


# ---- activations -----------------------------------------------------------------------------------------------------


def exp(x: Any) -> Any:
    nan = np.isnan(x)
    x = np.where(nan, F(0), x)
    x = np.where(x < F(-104.5), F(-104.5), np.where(x > F(89.5), F(89.5), x)).astype(F)
    shift = F(12582912)
    t = fma(x, hexf("0x1.715476p0"), shift)
    n = t.view(np.int32) - np.int32(0x4B400000)
    t = t - shift
    r = fma(t, F(-0.693359375), x)
    r = fma(t, F(2.12194440e-4), r)
    q = np.full_like(r, hexf("0x1.6a2352p-10"))
    for c in ("0x1.123a6cp-7", "0x1.5558f4p-5", "0x1.55549p-3", "0x1.fffffcp-2"):
        q = fma(q, r, hexf(c))
    y = fma(q, r * r, r) + F(1)
    half = n >> 1
    y = y * power_of_two(half) * power_of_two(n - half)
    return np.where(nan, F(np.nan), y).astype(F)


def sigmoid(x: Any) -> Any:
    e = exp(-np.abs(x))
    return (np.where(x < 0, e, F(1)) / (F(1) + e)).astype(F)


def tanh(x: Any) -> Any:
    a = np.abs(x)
    t = a * a
    q = np.full_like(a, hexf("-0x1.75ddcep-8"))
    for c in ("0x1.5225cp-6", "-0x1.b83c3ap-5", "0x1.110726p-3", "-0x1.555532p-2"):
        q = fma(q, t, hexf(c))
    small = fma(q, t * a, a)
    large = F(1) - F(2) / (exp(a + a) + F(1))
    return np.copysign(np.where(a < F(0.625), small, large).astype(F), x)


def activate(name: str, alpha: float, y: Any) -> Any:
    slope = F(alpha)
    if name == "identity":
        return y
    if name == "relu":
        return np.where(y > 0, y, F(0))
    if name == "leaky_relu":
        return np.where(y > 0, y, slope * y)
    if name == "elu":
        return np.where(y > 0, y, slope * (exp(y) - F(1)))
    if name == "tanh":
        return tanh(y)
    if name == "sigmoid":
        return sigmoid(y)
    if name == "silu":
        return y * sigmoid(y)
    assert name == "gelu"
    inner = fma(np.uint32(0x3D372713).view(F) * (y * y), y, y)
    return (F(0.5) * y) * (F(1) + tanh(np.uint32(0x3F4C422A).view(F) * inner))


# ---- layers ----------------------------------------------------------------------------------------------------------


def chained(weight: Any, x: Any, first: Any, sums: int) -> Any:
    """(n, outputs): the partial sums of one dense record, folded."""
    outputs, inputs = weight.shape
    s = [np.broadcast_to(first, (len(x), outputs)).astype(F)]
    s += [np.zeros((len(x), outputs), F) for _ in range(sums - 1)]
    for k in range(inputs):
        s[k % sums] = fma(weight[:, k], x[:, k, None], s[k % sums])
    h = sums // 2
    while h:
        for i in range(h):
            s[i] = s[i] + s[i + h]
        h //= 2
    return s[0]


def chained_sparse(weight: Any, mask: Any, x: Any, first: Any) -> Any:
    """(n, outputs): one chain for each row, over its stored entries."""
    columns = []
    for j in range(weight.shape[0]):
        s = np.full(len(x), first[j], F)
        for k in np.flatnonzero(mask[j]):
            s = fma(weight[j, k], x[:, k], s)
        columns.append(s)
    return np.stack(columns, axis=1)


def integer_layer(record: Any, x: Any) -> Any:
    """A layer of integers: every product and sum in int64, which the format keeps within int32."""
    if record.column_exponent is not None:
        x = x * power_of_two(record.column_exponent)
    low, high = F(-record.input_zero), F(255 - record.input_zero)
    v = x * F(record.input_scale)
    v = np.where(v > low, v, low)  # NaN gives low
    v = np.where(v < high, v, high)
    q = np.rint(v).astype(np.int64) + record.input_zero
    total = q @ record.weight.astype(np.int64).T + record.bias
    assert np.abs(total).max(initial=0) < 1 << 31
    return activate(record.activation, record.alpha, total.astype(F) * record.row_scale).astype(F)


def layer(record: Any, x: Any, sparse: bool) -> Any:
    """One layer of a network. `sparse`: its mask was stored, so the record is a sparse one."""
    if record.kind == "integer_dense":
        return integer_layer(record, x)
    weight = record.weight.astype(F)
    row = getattr(record, "row_scale", None)
    if getattr(record, "row_exponent", None) is not None:
        row = np.broadcast_to(power_of_two(record.row_exponent), (record.out_features,))
    if getattr(record, "column_exponent", None) is not None:
        x = x * power_of_two(record.column_exponent)
    exact_bias = record.bias.dtype == F and row is not None
    first = np.zeros(record.out_features, F) if exact_bias else record.bias.astype(F)
    if sparse:
        y = chained_sparse(weight, record.mask, x, first)
    else:
        y = chained(weight, x, first, partial_sums(record.in_features, record.out_features))
    if row is not None:
        y = fma(y, row, record.bias) if exact_bias else y * row
    return activate(record.activation, record.alpha, y).astype(F)


# ---- contract --------------------------------------------------------------------------------------------------------


def clamp(y: Any, low: Any, high: Any) -> Any:
    return np.where(y < low, low, np.where(y > high, high, y)).astype(F)


def normalise(x: Any, normalisation: Any) -> Any:
    if normalisation is None:
        return x
    clip = F(normalisation.clip)
    return clamp((x - normalisation.mean) / normalisation.scale, -clip, clip)


def argmax(row: Any) -> int:
    best = -1
    for index, value in enumerate(row):
        if not np.isnan(value) and (best < 0 or value > row[best]):
            best = index
    return max(best, 0)


def head(kind: Any, y: Any) -> Any:
    if kind.kind == "raw":
        return y
    if kind.kind == "argmax":
        return np.array([[kind.start + argmax(row)] for row in y], F)
    c = clamp(y, kind.low, kind.high)
    return fma(tanh(c) if kind.kind == "squash" else c, kind.scale, kind.offset)


def run(network: Any, observations: Any, stored_masks: Any) -> Any:
    """Actions of a network.

    Args:
        network: an `rlcompress.Network`.
        observations: (n, inputs) float32.
        stored_masks: one bool per layer: stored as a sparse record.

    Returns:
        (n, action_size) float32 with every NaN written 0x7FC00000.
    """
    with np.errstate(all="ignore"):
        x = normalise(np.asarray(observations, F), network.contract.normalisation)
        if network.contract.selected is not None:
            x = np.stack([x[:, k] for k in network.contract.selected], axis=1)
        for record, sparse in zip(network.layers, stored_masks):
            x = layer(record, x, sparse)
        bits = np.array(head(network.contract.head, x), F).view(np.uint32)
    return np.where(np.isnan(bits.view(F)), CANONICAL_NAN, bits).view(F)
