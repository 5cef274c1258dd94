from __future__ import annotations

import numpy as np
import pytest
import torch

from rlcompress import MaskedLinear, kernels
from rlcompress.errors import InvalidValueError


@pytest.mark.parametrize("target", kernels.targets())
@pytest.mark.parametrize("shape", [(1, 40), (37, 40), (2, 70, 40), (0, 40)])
def test_gradients_follow_float64(target, shape):
    torch.manual_seed(0)
    linear = torch.nn.Linear(40, 24)
    mask = torch.rand(24, 40) < 0.2
    with kernels.forced_target(target):
        layer = MaskedLinear.from_linear(linear, mask)
        x = torch.randn(shape, requires_grad=True)
        exact = x.detach().double().requires_grad_(True)
        weight = (linear.weight.detach() * mask).double().requires_grad_(True)
        wanted = torch.nn.functional.linear(exact, weight, linear.bias.detach().double())
        found = layer(x)
        assert torch.allclose(found.double(), wanted, atol=1e-5)
        (found**2).sum().backward()
    (wanted**2).sum().backward()
    assert torch.allclose(x.grad.double(), exact.grad, atol=1e-4)
    kept = weight.grad.reshape(-1)[torch.from_numpy(layer.pattern.places.astype(np.int64))]
    assert torch.allclose(layer.kept.grad.double(), kept, atol=1e-3)
    assert layer.bias.grad.shape == (24,)
    assert torch.equal(layer.weight, linear.weight.detach() * mask)


def test_it_trains_and_refuses_other_masks():
    torch.manual_seed(1)
    model = torch.nn.Sequential(MaskedLinear(torch.randn(16, 8), torch.rand(16, 8) < 0.5), torch.nn.Linear(16, 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    x = torch.randn(64, 8)
    losses = []
    for _ in range(60):
        loss = ((model(x) - x[:, :1]) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    with pytest.raises(InvalidValueError):
        MaskedLinear(torch.ones(3, 4), torch.ones(4, 3, dtype=torch.bool))
    with pytest.raises(InvalidValueError):
        MaskedLinear(torch.ones(3, 4).double(), torch.ones(3, 4, dtype=torch.bool))
