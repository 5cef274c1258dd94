"""Who takes part in what: one line for each contender. Adding a peer takes a file in `peers/` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from peers import (
    litert_dense,
    mkl_sparse,
    numpy_dense,
    numpy_ranking,
    numpy_sparse,
    onnxruntime_dense,
    onnxruntime_sparse,
    openvino_dense,
    rlcompress_dense,
    rlcompress_ranking,
    rlcompress_sparse,
    rlcompress_step,
    scipy_sparse,
    torch_dense,
    torch_ranking,
    torch_sparse,
    torch_step,
)
from timing import Prepared

Role = Literal["ours", "variant", "peer", "dense"]


@dataclass(frozen=True)
class Contender:
    """One way to do a group's work.

    Args:
        group: key of `groups.GROUPS`.
        name: column of the table; the best of ours is compared with the best peer.
        prepare: from a piece of work to its timed call.
        role: `ours`, a `variant` of ours that is shown and not compared, a `peer`, or a `dense` product beside sparse
            ones, which is not among the peers.
    """

    group: str
    name: str
    prepare: Callable[[Any], Prepared]
    role: Role = "peer"


CONTENDERS: tuple[Contender, ...] = (
    Contender("dense", "rlcompress", rlcompress_dense.float32, "ours"),
    Contender("dense", "rlcompress on avx2", rlcompress_dense.forced("avx2"), "variant"),
    Contender("dense", "rlcompress on scalar", rlcompress_dense.forced("scalar"), "variant"),
    Contender("dense", "LiteRT+XNNPACK", litert_dense.float32),
    Contender("dense", "onnxruntime", onnxruntime_dense.float32),
    Contender("dense", "OpenVINO", openvino_dense.float32),
    Contender("dense", "NumPy", numpy_dense.buffered),
    Contender("dense", "torch jit", torch_dense.jit),
    Contender("dense", "torch eager", torch_dense.eager),
    Contender("integer_dense", "rlcompress", rlcompress_dense.integer, "ours"),
    Contender("integer_dense", "rlcompress float32", rlcompress_dense.float32, "variant"),
    Contender("integer_dense", "LiteRT+XNNPACK static", litert_dense.static_int8),
    Contender("integer_dense", "onnxruntime static", onnxruntime_dense.static_int8),
    Contender("integer_dense", "OpenVINO static", openvino_dense.static_int8),
    Contender("sparse", "rlcompress", rlcompress_sparse.dot, "ours"),
    Contender("sparse", "MKL", mkl_sparse.inspector),
    Contender("sparse", "SciPy", scipy_sparse.csr),
    Contender("sparse", "torch csr", torch_sparse.csr),
    Contender("sparse", "torch dense", torch_sparse.dense, "dense"),
    Contender("sparse", "NumPy dense", numpy_sparse.dense, "dense"),
    Contender("sparse", "onnxruntime dense", onnxruntime_sparse.dense, "dense"),
    Contender("masked_step", "rlcompress", rlcompress_step.step, "ours"),
    Contender("masked_step", "torch dense + mask", torch_step.masked),
    Contender("ranking", "rlcompress", rlcompress_ranking.fresh, "ours"),
    Contender("ranking", "rlcompress, out=", rlcompress_ranking.reused, "ours"),
    Contender("ranking", "np.partition", numpy_ranking.partition),
    Contender("ranking", "np.partition, buffers", numpy_ranking.buffered),
    Contender("ranking", "torch.kthvalue", torch_ranking.kthvalue),
    Contender("prune", "rlcompress", rlcompress_ranking.fresh, "ours"),
    Contender("prune", "torch prune.global_unstructured", torch_ranking.prune),
)


def contenders_of(group: str) -> list[Contender]:
    """Those of one group, ours first; batches have those of single observations."""
    wanted = "dense" if group == "dense_batch" else group
    return [contender for contender in CONTENDERS if contender.group == wanted]
