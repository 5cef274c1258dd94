"""What is kept of a layer, fitted to what its dense weights give on the same inputs."""

from __future__ import annotations

from typing import Any

from rlcompress.optional import require

RIDGE = 1e-4
"""Share of the mean square of a layer's inputs that is added to the diagonal, so that dead inputs do no harm."""


def fits(module: Any) -> bool:
    """Whether the module is a Linear, Conv1d or Conv2d."""
    nn = require("torch.nn")
    return isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d))


def fitted(module: Any, inputs: Any, dense: Any, bias: Any, mask: Any) -> tuple[Any, Any]:
    """Weight and bias with the least mean square error against the dense layer, zero where the mask is False.

    The weight is held near the dense one by a ridge, so that a direction without inputs keeps its weights.

    Args:
        module: Linear, Conv1d or Conv2d.
        inputs: of the layer on the calibration rows.
        dense: dense weight.
        bias: dense bias or None; refitted with the weight.
        mask: bool, of the weight's shape; True = kept.

    Returns:
        (weight, bias) in the dense weight's type.
    """
    torch = require("torch")
    groups = int(getattr(module, "groups", 1))
    out_group = dense.shape[0] // groups
    rows = dense.reshape(dense.shape[0], -1).double()
    kept = mask.reshape(rows.shape)
    weight = torch.zeros_like(rows)
    shifts = torch.zeros(rows.shape[0], dtype=torch.float64, device=rows.device)
    for group in range(groups):
        design = _design(module, inputs, group, groups)
        gram, sums, count = _moments(design)
        if bias is not None:  # the best bias takes up the mean: solve in deviations from it
            gram = gram - torch.outer(sums, sums) / count
        ridge = RIDGE * float(gram.diagonal().mean()) + 1e-12
        for row in range(group * out_group, (group + 1) * out_group):
            chosen = kept[row].nonzero().reshape(-1)
            if len(chosen):
                left = gram[chosen][:, chosen]
                left.diagonal().add_(ridge)
                right = gram[chosen] @ rows[row] + ridge * rows[row, chosen]
                weight[row, chosen] = torch.linalg.solve(left, right)
            if bias is not None:
                shifts[row] = (sums / count) @ (rows[row] - weight[row])
    shifted = None if bias is None else (bias.double() + shifts).to(bias.dtype)
    return weight.to(dense.dtype).reshape(dense.shape), shifted


def _moments(design: Any) -> tuple[Any, Any, int]:
    """Gram matrix, column sums and number of rows, summed in float64 block by block."""
    torch = require("torch")
    columns = design.shape[1]
    gram = torch.zeros(columns, columns, dtype=torch.float64, device=design.device)
    sums = torch.zeros(columns, dtype=torch.float64, device=design.device)
    for block in design.split(8192):
        gram.addmm_(block.T.double(), block.double())
        sums += block.sum(0, dtype=torch.float64)
    return gram, sums, int(design.shape[0])


def _design(module: Any, inputs: Any, group: int, groups: int) -> Any:
    """(samples, weights per output) matrix of what the layer multiplies its weights with."""
    functional = require("torch.nn.functional")
    if not hasattr(module, "kernel_size"):
        return inputs.reshape(-1, inputs.shape[-1])
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    x = functional.pad(inputs, _padding(module), mode=mode)
    channels = x.shape[1] // groups
    x = x[:, group * channels : (group + 1) * channels]
    kernel, stride, dilation = tuple(module.kernel_size), tuple(module.stride), tuple(module.dilation)
    if len(kernel) == 1:
        x, kernel, stride, dilation = x.unsqueeze(2), (1, *kernel), (1, *stride), (1, *dilation)
    patches = functional.unfold(x, kernel, dilation=dilation, stride=stride)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


def _padding(module: Any) -> list[int]:
    return list(module._reversed_padding_repeated_twice)
