"""torch: selection, and what users call, `prune.global_unstructured`."""

from __future__ import annotations

from typing import Any

from timing import MissingError, Prepared
from work import RankingWork

from peers import library


def kthvalue(work: RankingWork) -> Prepared:
    """`torch.kthvalue` of the magnitudes, then the mask."""
    torch = library("torch")
    torch.set_num_threads(1)
    if work.layers > 1:
        raise MissingError("one array only")
    flat, k = torch.from_numpy(work.flat), work.count - work.keep + 1

    def call() -> Any:
        magnitude = flat.abs()
        return magnitude >= magnitude.kthvalue(k).values

    return Prepared(call)


def prune(work: RankingWork) -> Prepared:
    """`prune.global_unstructured` over fresh parameters; making these is not timed."""
    torch, pruning = library("torch"), library("torch.nn.utils.prune")
    torch.set_num_threads(1)
    tensors = [torch.from_numpy(weight) for weight in work.weights]
    modules: list[Any] = []

    def reset() -> None:
        modules.clear()
        for tensor in tensors:
            modules.append(torch.nn.Module())
            modules[-1].weight = torch.nn.Parameter(tensor)

    def call() -> None:
        pairs = [(module, "weight") for module in modules]
        pruning.global_unstructured(pairs, pruning_method=pruning.L1Unstructured, amount=0.9)

    return Prepared(call, lambda: [module.weight_mask.numpy() for module in modules], reset)
