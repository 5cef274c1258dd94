"""Search on the score itself: CMA-ES over a small network's parameters, with rounding inside the loop where the network
is quantised.

The search is replayed from its journal of judged generations: `ask` is a pure function of (start, seed, journal), so a
resumed run goes on with the same bits.

Source: N. Hansen, "The CMA Evolution Strategy: A Tutorial", through the library `cma`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.quantise import Genome, Grid

Journal = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """Genomes and the networks that they stand for.

    Args:
        origin: (parameters,) float64 genome where the search starts.
        step: first standard deviation of the search in genome units.
        network_of: genome to network.
    """

    origin: Genome
    step: float
    network_of: Callable[[Genome], Network]


def float_space(network: Network, mean: npt.NDArray[Any], scale: npt.NDArray[Any], step: float) -> Space:
    """Float32 weights, searched in terms of standardised observations and each layer's own size.

    Args:
        network: float32 dense layers.
        mean, scale: (inputs,) of the observations, those that the network does not read included.
        step: share of a layer's root-mean-square weight (of 1 where all are zero).
    """
    layers = [(layer.weight.astype(np.float64), layer.bias.astype(np.float64)) for layer in network.dense_layers()]
    mean, scale = network.contract.select(mean), network.contract.select(scale)
    first, bias = layers[0]
    layers[0] = (first * scale, bias + first @ mean)
    sizes = [float(np.sqrt(np.mean(np.square(weight)))) for weight, _ in layers]
    sizes = [size if size > 1e-6 else 1.0 for size in sizes]
    origin = np.concatenate([np.r_[w.reshape(-1), b] / size for (w, b), size in zip(layers, sizes)])

    def network_of(genome: Genome) -> Network:
        found, at = [], 0
        for index, (layer, size) in enumerate(zip(network.dense_layers(), sizes)):
            rows, columns = layer.weight.shape
            weight = genome[at : at + rows * columns].reshape(rows, columns) * size
            at += rows * columns
            bias = genome[at : at + rows] * size
            at += rows
            if index == 0:
                weight = weight / scale
                bias = bias - weight @ mean
            found.append(Dense(weight.astype(np.float32), bias.astype(np.float32), layer.activation, layer.alpha))
        return network.with_layers(found)

    return Space(origin, step, network_of)


def grid_space(grid: Grid, genome: Genome, step: float) -> Space:
    """Integer weights, searched in steps of the grid."""
    return Space(genome, step, grid.network_of)


@dataclass(frozen=True, eq=False)
class Generation:
    """What to judge next.

    Args:
        genomes: (population, parameters) float64.
        networks: the same as networks.
        centre: genome at the middle of the search.
        spread: present standard deviation, geometric mean over parameters.
    """

    genomes: npt.NDArray[np.float64]
    networks: tuple[Network, ...]
    centre: Genome
    spread: float


class Search:
    """A CMA-ES run that starts from `space.origin` and has taken in the journal so far."""

    def __init__(self, space: Space, seed: int, population: int, journal: Journal) -> None:
        cma = require("cma")
        # Its own generator: the library's default draws from NumPy's global one, which environments may use too.
        options = {"randn": np.random.RandomState(seed + 1).randn, "seed": np.nan, "popsize": population}
        options |= {"verbose": -9, "verb_log": 0, "verb_disp": 0}
        self.space = space
        self.strategy = cma.CMAEvolutionStrategy(space.origin, space.step, options)
        self.waiting: list[Any] | None = None
        for fitness in journal:
            self.ask()
            self.tell(fitness)

    def ask(self) -> Generation:
        """The next population."""
        self.waiting = self.strategy.ask()
        genomes = np.stack(self.waiting)
        return Generation(
            genomes,
            tuple(self.space.network_of(genome) for genome in genomes),
            np.array(self.strategy.mean),
            float(self.strategy.sigma),
        )

    def tell(self, fitness: npt.NDArray[np.float64]) -> None:
        """Take in the scores (population,) of the last population; larger is better."""
        assert self.waiting is not None, "ask first"
        self.strategy.tell(self.waiting, list(-np.asarray(fitness)))
        self.waiting = None

    def centre(self) -> Network:
        """The network at the middle of the search."""
        return self.space.network_of(np.array(self.strategy.mean))
