"""rlcompress: trained networks made small enough for the edge, with proof that they still work.

Importing this package loads NumPy and the C++ core alone. Everything that trains or steps environments is loaded on
first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rlcompress.artifact import load
from rlcompress.contract import Argmax, Clip, Contract, Normalisation, Raw, Squash
from rlcompress.errors import FormatError, RlcompressError
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network
from rlcompress.quantise import quantise_rows
from rlcompress.quantise_activations import quantise_static
from rlcompress.ranking import magnitude_masks
from rlcompress.runtime import Runtime

if TYPE_CHECKING:
    from rlcompress.algorithms.neon import NEON as NEON
    from rlcompress.algorithms.pops import PoPS as PoPS
    from rlcompress.algorithms.purl import PuRL as PuRL
    from rlcompress.algorithms.purl.prune import prune as prune
    from rlcompress.engine.cluster import cluster as cluster
    from rlcompress.engine.run import compress as compress
    from rlcompress.engine.run import resume as resume
    from rlcompress.exporters import export as export
    from rlcompress.exporters.scikit_learn import to_sklearn as to_sklearn
    from rlcompress.imitation import Imitation as Imitation
    from rlcompress.imitation import imitate as imitate
    from rlcompress.importers import load_policy as load_policy
    from rlcompress.importers.scikit_learn import from_sklearn as from_sklearn
    from rlcompress.importers.torch_module import from_torch as from_torch
    from rlcompress.importers.torch_module import to_torch as to_torch
    from rlcompress.importers.two_outputs import two_outputs as two_outputs
    from rlcompress.layerwise.env import PruningEnv as PruningEnv
    from rlcompress.layerwise.narrowing_env import NarrowingEnv as NarrowingEnv
    from rlcompress.layerwise.plan import Plan as Plan
    from rlcompress.layerwise.prunable import prunable as prunable
    from rlcompress.packing import pack as pack
    from rlcompress.reporting.progress import progress as progress
    from rlcompress.sparse import SparseMatrix as SparseMatrix
    from rlcompress.tasks.data_files import load_data as load_data
    from rlcompress.tasks.dataset import DatasetTask as DatasetTask
    from rlcompress.tasks.policy import PolicyTask as PolicyTask
    from rlcompress.training.masked import MaskedMLP as MaskedMLP
    from rlcompress.training.masked_linear import MaskedLinear as MaskedLinear

__version__ = "0.1.0"

_LAZY = {
    "NEON": "rlcompress.algorithms.neon",
    "DatasetTask": "rlcompress.tasks.dataset",
    "Imitation": "rlcompress.imitation",
    "MaskedLinear": "rlcompress.training.masked_linear",
    "MaskedMLP": "rlcompress.training.masked",
    "Plan": "rlcompress.layerwise.plan",
    "PoPS": "rlcompress.algorithms.pops",
    "PolicyTask": "rlcompress.tasks.policy",
    "NarrowingEnv": "rlcompress.layerwise.narrowing_env",
    "PruningEnv": "rlcompress.layerwise.env",
    "PuRL": "rlcompress.algorithms.purl",
    "SparseMatrix": "rlcompress.sparse",
    "cluster": "rlcompress.engine.cluster",
    "compress": "rlcompress.engine.run",
    "export": "rlcompress.exporters",
    "from_sklearn": "rlcompress.importers.scikit_learn",
    "from_torch": "rlcompress.importers.torch_module",
    "imitate": "rlcompress.imitation",
    "load_data": "rlcompress.tasks.data_files",
    "load_policy": "rlcompress.importers",
    "pack": "rlcompress.packing",
    "progress": "rlcompress.reporting.progress",
    "prunable": "rlcompress.layerwise.prunable",
    "prune": "rlcompress.algorithms.purl.prune",
    "resume": "rlcompress.engine.run",
    "to_sklearn": "rlcompress.exporters.scikit_learn",
    "to_torch": "rlcompress.importers.torch_module",
    "two_outputs": "rlcompress.importers.two_outputs",
}

__all__ = [
    "NEON",
    "Argmax",
    "Clip",
    "Contract",
    "DatasetTask",
    "Dense",
    "FormatError",
    "Imitation",
    "IntegerDense",
    "MaskedLinear",
    "MaskedMLP",
    "NarrowingEnv",
    "Network",
    "Normalisation",
    "Plan",
    "PoPS",
    "PolicyTask",
    "PruningEnv",
    "PuRL",
    "QuantizedDense",
    "Raw",
    "RlcompressError",
    "Runtime",
    "SparseMatrix",
    "Squash",
    "cluster",
    "compress",
    "export",
    "from_sklearn",
    "from_torch",
    "imitate",
    "load",
    "load_data",
    "load_policy",
    "magnitude_masks",
    "pack",
    "progress",
    "prunable",
    "prune",
    "quantise_rows",
    "quantise_static",
    "resume",
    "to_sklearn",
    "to_torch",
    "two_outputs",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'rlcompress' has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
