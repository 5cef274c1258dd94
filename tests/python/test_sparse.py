from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcompress import SparseMatrix, kernels
from rlcompress.errors import InvalidValueError
from rlcompress.sparse import keeps_blocks


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Exact float32 fused multiply-add: the product fits a double, the sum is rounded to odd before float32."""
    with np.errstate(all="ignore"):
        p = a.astype(np.float64) * b.astype(np.float64)
        d = c.astype(np.float64)
        s = np.asarray(p + d)
        back = s - p
        error = (p - (s - back)) + (d - back)
        even = (s.view(np.int64) & 1) == 0
        odd = np.nextafter(s, np.where(error > 0, np.inf, -np.inf))
        return np.where((error != 0) & even & np.isfinite(s), odd, s).astype(np.float32)


def oracle(weight: np.ndarray, mask: np.ndarray, x: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    start = np.zeros(len(weight), np.float32) if bias is None else bias
    y = np.repeat(start[:, None], x.shape[1], 1)
    for j, k in np.argwhere(mask):
        y[j] = fma(weight[j, k], x[k], y[j])
    return y


@pytest.fixture(params=kernels.targets())
def target(request):
    with kernels.forced_target(request.param) as name:
        yield name


def draw(rng: np.random.Generator, outputs: int, inputs: int, density: float, blocks: bool):
    weight = rng.standard_normal((outputs, inputs)).astype(np.float32)
    mask = rng.random((outputs, inputs)) < density
    return weight, (mask[np.arange(outputs) // 16 * 16] if blocks else mask)


SHAPES = [(1, 1), (7, 5), (16, 33), (17, 130), (40, 300), (100, 129), (1100, 140), (3, 400)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("blocks", [False, True])
def test_bits_of_every_layout_and_number_of_columns(target, shape, blocks):
    rng = np.random.default_rng(shape[0])
    weight, mask = draw(rng, *shape, 0.15, blocks)
    bias = rng.standard_normal(shape[0]).astype(np.float32)
    x = rng.standard_normal((shape[1], 260)).astype(np.float32)
    wanted = oracle(weight, mask, x, bias)
    for layout in kernels.SPARSE_LAYOUTS:
        if layout == "blocks" and not blocks:
            continue
        matrix = kernels.SparseMatrix(weight, mask, layout)
        assert matrix.nonzeros == mask.sum()
        for n in (1, 2, 3, 8, 9, 16, 17, 31, 64, 100, 128, 129, 260):
            out = np.full((shape[0], n), np.nan, np.float32)
            kernels.sparse_multiply(matrix, np.ascontiguousarray(x[:, :n]), out, bias)
            assert np.array_equal(out.view(np.uint32), wanted[:, :n].view(np.uint32)), (layout, n)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), outputs=st.integers(0, 40), inputs=st.integers(0, 150), n=st.integers(0, 70))
def test_any_matrix_on_any_target(data, outputs, inputs, n):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weight, mask = draw(
        rng, outputs, inputs, data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), data.draw(st.booleans())
    )
    x = (rng.standard_normal((inputs, n)) * 1e-20).astype(np.float32)
    wanted = oracle(weight, mask, x)
    for name in kernels.targets():
        with kernels.forced_target(name):
            sparse = SparseMatrix(weight, mask)
            assert np.array_equal(sparse @ x, wanted)
            assert np.array_equal(sparse.mask(), mask)
            assert np.array_equal(sparse.toarray(), np.where(mask, weight, 0))


def test_one_vector(target):
    rng = np.random.default_rng(0)
    weight, mask = draw(rng, 50, 70, 0.1, False)
    x = rng.standard_normal(70).astype(np.float32)
    sparse = SparseMatrix(weight, mask)
    out = np.empty(50, np.float32)
    assert sparse.dot(x, out) is out
    assert np.array_equal(out, oracle(weight, mask, x[:, None])[:, 0])
    assert (sparse @ x).shape == (50,)


def test_dropped_weights_take_no_part(target):
    weight = np.full((20, 40), np.nan, np.float32)
    mask = np.zeros((20, 40), bool)
    mask[3, 5], weight[3, 5] = True, 2.0
    x = np.full((40, 40), np.inf, np.float32)
    x[5] = 1.5
    y = SparseMatrix(weight, mask) @ x
    assert (y[3] == 3).all()
    assert (np.delete(y, 3, 0) == 0).all()


def test_kept_zeros_and_non_finite_weights_take_part(target):
    weight = np.array([[0.0, np.inf, np.nan]], np.float32).repeat(3, 0)
    mask = np.eye(3, dtype=bool)
    y = SparseMatrix(weight, mask) @ np.array([np.inf, 1, 1], np.float32)
    assert np.isnan(y[0])
    assert y[1] == np.inf
    assert np.isnan(y[2])


def test_inputs_beyond_the_range_of_an_index(target):
    weight = np.zeros((2, 70_000), np.float32)
    weight[0, [3, 65_535, 65_536, 69_999]] = [1, 2, 3, 4]
    weight[1, 69_999] = 1
    sparse = SparseMatrix(weight)
    x = np.arange(70_000, dtype=np.float32)
    assert (sparse @ x).tolist() == oracle(weight, weight != 0, x[:, None])[:, 0].tolist()


def test_properties_and_choice_of_layout():
    rng = np.random.default_rng(1)
    weight, mask = draw(rng, 64, 100, 0.1, False)
    both = SparseMatrix(weight, mask)
    assert (both.shape, both.nnz) == ((64, 100), int(mask.sum()))
    assert both.density == pytest.approx(mask.mean())
    one, many = SparseMatrix(weight, mask, columns=1), SparseMatrix(weight, mask, columns=64)
    assert both.size_bytes == one.size_bytes + many.size_bytes
    assert many.size_bytes < 10 * both.nnz + 2000
    x = rng.standard_normal((100, 40)).astype(np.float32)
    for sparse in (one, many):
        assert np.array_equal(sparse @ x, both @ x)
        assert np.array_equal(sparse @ x[:, 0].copy(), both @ x[:, 0].copy())
    weight, mask = draw(rng, 70, 100, 0.1, True)
    blocks = SparseMatrix(weight, mask, block=(16, 1))
    assert keeps_blocks(mask)
    assert blocks.size_bytes < 5 * blocks.nnz + 1500
    with pytest.raises(InvalidValueError, match="blocks"):
        SparseMatrix(weight, ~np.eye(70, 100, dtype=bool), block=(16, 1))
    assert not keeps_blocks(np.ones((32, 4), bool))


def test_pickle_keeps_bits_and_kept_zeros():
    rng = np.random.default_rng(2)
    weight, mask = draw(rng, 30, 50, 0.2, False)
    weight[mask] *= rng.random(mask.sum()) < 0.8
    sparse = pickle.loads(pickle.dumps(SparseMatrix(weight, mask)))  # our own bytes, just written
    assert np.array_equal(sparse.mask(), mask)
    assert np.array_equal(sparse.toarray(), np.where(mask, weight, 0))


@pytest.mark.parametrize(
    "call",
    [
        lambda s: SparseMatrix(np.ones((3, 4))),
        lambda s: SparseMatrix(np.ones(4, np.float32)),
        lambda s: SparseMatrix(np.ones((3, 4), np.float32), np.ones((3, 4), np.uint8)),
        lambda s: SparseMatrix(np.ones((3, 4), np.float32), np.ones((4, 3), bool)),
        lambda s: SparseMatrix(np.ones((3, 4), np.float32), block=(1, 16)),
        lambda s: s @ np.ones(5, np.float32),
        lambda s: s @ np.ones((4, 6), np.float32)[:, ::2],
        lambda s: s @ np.asfortranarray(np.ones((4, 6), np.float32)),
        lambda s: s.dot(np.ones(4, np.float32), np.ones(4, np.float32)),
        lambda s: s.dot(np.ones((4, 2), np.float32), np.ones((3, 1), np.float32)),
        lambda s: s.dot(np.ones(4, np.float32), bias=np.ones(4, np.float32)),
        lambda s: s @ np.ones((4, 1, 1), np.float32),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidValueError):
        call(SparseMatrix(np.ones((3, 4), np.float32)))


def test_other_types_read_only_and_overlapping_arrays_are_refused():
    sparse = SparseMatrix(np.ones((4, 4), np.float32))
    for x in (np.ones(4), [1.0] * 4, np.ones(4, ">f4")):
        with pytest.raises(TypeError):
            sparse @ x
    x = np.ones(8, np.float32)
    with pytest.raises(InvalidValueError, match="overlap"):
        sparse.dot(x[:4], x[2:6])
    x.flags.writeable = False
    with pytest.raises(InvalidValueError, match="writable"):
        sparse.dot(np.ones(4, np.float32), x[:4])
    raw = np.zeros(17, np.uint8)
    with pytest.raises(InvalidValueError, match="layout"):
        sparse @ raw[1:].view(np.float32)
