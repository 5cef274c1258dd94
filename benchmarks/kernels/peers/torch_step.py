"""torch: a dense step with the mask re-applied."""

from __future__ import annotations

from typing import Any

from timing import Prepared
from work import StepWork

from peers import library


def masked(work: StepWork) -> Prepared:
    """Dense forward and backward, SGD, `weight.mul_(mask)`: the usual way."""
    torch = library("torch")
    torch.set_num_threads(1)
    x, labels = torch.from_numpy(work.x), torch.from_numpy(work.labels)

    def fresh() -> Any:
        module, masks = _module(torch, work)
        optimiser = torch.optim.SGD(module.parameters(), lr=work.learning_rate)
        loss_of, weights = torch.nn.CrossEntropyLoss(), [part.weight for part in module if hasattr(part, "weight")]

        def call() -> list[Any]:
            optimiser.zero_grad()
            loss_of(module(x), labels).backward()
            optimiser.step()
            with torch.no_grad():
                for weight, mask in zip(weights, masks):
                    weight.mul_(mask)
            return weights

        return call

    return Prepared(fresh(), lambda: [weight.detach().numpy() for weight in fresh()()])


def _module(torch: Any, work: StepWork) -> tuple[Any, list[Any]]:
    parts: list[Any] = []
    masks = []
    for layer in work.network.dense_layers():
        linear = torch.nn.Linear(layer.in_features, layer.out_features)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight))
            linear.bias.copy_(torch.tensor(layer.bias))
        masks.append(torch.tensor(layer.mask).float())
        parts.append(linear)
        if layer.activation == "relu":
            parts.append(torch.nn.ReLU())
    return torch.nn.Sequential(*parts), masks
