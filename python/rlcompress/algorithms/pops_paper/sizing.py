"""From the weights that pruning left in each layer to the widths of a smaller dense network.

Source: the reference code's rules for its CartPole and LunarLander networks, which both have three hidden layers.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlcompress.algorithms.pops_paper.config import Sizing
from rlcompress.errors import InvalidValueError

_FLOOR = {"cartpole": 3.0, "lunarlander": 4.0}
_ROUNDS = 10


def kept_weights(layers: Sequence[int], redundancy: Sequence[float]) -> tuple[int, ...]:
    """Weights to keep per layer: `int(weights * (1 - redundancy))`.

    Args:
        layers: weights of each layer of the teacher.
        redundancy: share of them that pruning removed, 0..1.
    """
    if len(layers) != len(redundancy):
        raise InvalidValueError(f"redundancy: {len(layers)} values expected, found {len(redundancy)}")
    return tuple(int(size * (1 - share) + 1e-9) for size, share in zip(layers, redundancy))


def shrunk_widths(
    teacher: Sequence[int], kept: Sequence[int], previous_size: int, sizing: Sizing = "cartpole"
) -> tuple[int, ...]:
    """Hidden widths of the next student.

    With `fit(l)` the width that spends the kept weights of the two layers around hidden layer l, given its neighbours'
    widths:

    1. The outer layers start at `kept / inputs` and `kept / outputs`, all others at `fit` between the teacher's widths.
    2. The middle one becomes the mean of that and `fit` between its present neighbours.
    3. From the middle outwards each layer becomes `fit` between its neighbours (rule `cartpole` alone).
    4. While the network is larger than the one before, the widest layer loses a neuron.
    5. A layer narrower than one neuron gets three (`cartpole`, one layer only) or four (`lunarlander`, every layer);
       then the neighbour towards the middle (2.), or all around the middle (3.), are computed again.
    6. Fractions are cut off.

    For three hidden layers these are the published rules. Generalised here: other depths (the middle of an even number
    is the layer after the centre; one hidden layer is its own middle), and a last floor of one neuron.

    Args:
        teacher: inputs, hidden widths and outputs of the teacher.
        kept: weights kept in each layer, one more than hidden layers; 0 counts as 1.
        previous_size: weights of the student before.
        sizing: whose rule.

    Raises:
        InvalidValueError: a number of layers that does not fit.
    """
    if len(kept) != len(teacher) - 1:
        raise InvalidValueError(f"kept: {len(teacher) - 1} layers expected, found {len(kept)}")
    if len(teacher) == 2:
        return ()
    draft = _Draft([max(1, count) for count in kept], [float(width) for width in teacher])
    draft.estimate(refit=sizing == "cartpole")
    draft.limit(previous_size)
    draft.lift(_FLOOR[sizing], rounds=1 if sizing == "cartpole" else _ROUNDS * len(kept))
    return tuple(max(1, int(width)) for width in draft.widths[1:-1])


class _Draft:
    """Widths in the making: inputs, hidden ones as fractions, outputs."""

    def __init__(self, kept: Sequence[int], teacher: list[float]) -> None:
        self.kept, self.widths = kept, list(teacher)
        self.hidden = range(1, len(teacher) - 1)
        self.middle = len(self.hidden) // 2 + 1

    def fit(self, layer: int) -> float:
        """Width that spends the weights on both sides, given the neighbours."""
        around = self.widths[layer - 1] + self.widths[layer + 1]
        return (self.kept[layer - 1] + self.kept[layer]) / around

    def estimate(self, refit: bool) -> None:
        first = {layer: self.fit(layer) for layer in self.hidden}
        last = self.hidden[-1]
        if self.middle != 1:
            first[1] = self.kept[0] / self.widths[0]
        if self.middle != last:
            first[last] = self.kept[last] / self.widths[last + 1]
        for layer in self.hidden:
            self.widths[layer] = first[layer]
        self.meet_in_the_middle()
        if refit:
            for distance in range(1, len(self.hidden)):
                self.refit([self.middle - distance, self.middle + distance])

    def meet_in_the_middle(self) -> None:
        self.widths[self.middle] = (self.widths[self.middle] + self.fit(self.middle)) / 2

    def refit(self, layers: list[int]) -> None:
        for layer in layers:
            if layer in self.hidden:
                self.widths[layer] = self.fit(layer)

    def limit(self, size: int) -> None:
        """No more weights than `size`, as long as a layer has a neuron to give."""
        while sum(a * b for a, b in zip(self.widths, self.widths[1:])) > size:
            widest = max(self.hidden, key=lambda layer: self.widths[layer])
            if self.widths[widest] < 2:
                return
            self.widths[widest] -= 1

    def lift(self, floor: float, rounds: int) -> None:
        """Give layers without a neuron some."""
        for _ in range(rounds):
            narrowest = min(self.hidden, key=lambda layer: self.widths[layer])
            if self.widths[narrowest] >= 1:
                return
            self.widths[narrowest] = floor
            inward = narrowest + (1 if narrowest < self.middle else -1)
            if narrowest == self.middle:
                self.refit([narrowest - 1, narrowest + 1])
            elif inward == self.middle:
                self.meet_in_the_middle()
            else:
                self.refit([inward])
