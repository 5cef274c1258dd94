"""Second-order scores against per-row gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rlcompress.training.importance import importance  # noqa: E402
from rlcompress.training.labelled_rows import LabelledRows  # noqa: E402
from rlcompress.training.objective import Objective  # noqa: E402


def look(model, x, y, rows=4096, objective=None):
    layers = [module for module in model if isinstance(module, torch.nn.Linear)]
    return importance(
        model,
        [layer.weight for layer in layers],
        [layer.bias for layer in layers],
        LabelledRows((x, y), 256, None, None),
        objective or Objective(True),
        rows,
        seed=0,
    )


def linear(bias: bool = True):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 3, bias=bias))


def rows(count: int = 4096):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 6)).astype(np.float32) * np.arange(1, 7, dtype=np.float32) / 3 + 0.5
    return x, rng.integers(0, 3, count)


def exact(model, x):
    """Gauss-Newton of softmax cross-entropy for one linear layer: diagonal, products with the bias, bias."""
    p = torch.softmax(model(torch.tensor(x)), 1).detach().numpy().astype(np.float64)
    spread = p * (1 - p)
    return spread.T @ x.astype(np.float64) ** 2 / len(x), spread.T @ x / len(x), spread.mean(0)[:, None]


def test_curvature_without_a_bias_is_the_gauss_newton_diagonal():
    model, (x, y) = linear(bias=False), rows()
    found = look(model, x, y)
    diagonal, _, _ = exact(model, x)
    assert np.allclose(found.curvature[0], diagonal, rtol=0.75)
    assert np.mean(found.curvature[0].numpy() / diagonal) == pytest.approx(1, abs=0.12)


def test_a_free_bias_takes_its_share():
    model, (x, y) = linear(), rows()
    found = look(model, x, y)
    diagonal, cross, own = exact(model, x)
    freed = diagonal - cross**2 / own
    assert np.mean(found.curvature[0].numpy() / freed) == pytest.approx(1, abs=0.15)
    assert (found.curvature[0].numpy() <= diagonal * 1.5).all()
    error = found.pull[0].numpy() - cross / own
    assert np.abs(error).mean() < 0.15 * np.abs(cross / own).mean() + 0.1


def test_the_gradient_is_that_of_the_loss_with_the_bias_free():
    model, (x, y) = linear(), rows()
    found = look(model, x, y)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    loss = torch.nn.functional.cross_entropy(model(inputs), targets)
    of_weight, of_bias = torch.autograd.grad(loss, [model[0].weight, model[0].bias])
    wanted = of_weight - found.pull[0] * of_bias[:, None]
    assert torch.allclose(found.gradient[0], wanted, atol=1e-5)


def test_weights_behind_dead_and_constant_units_cost_nothing():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    with torch.no_grad():
        model[0].weight[0] = 0  # gives a constant
        model[0].bias[0] = 2.0
        model[2].weight[:, 1] = 0  # feeds nothing
        model[0].bias[2] = -100.0  # never fires
    found = look(model, *rows())
    cost = found.cost([model[0].weight, model[2].weight])
    assert (cost[1][:, 0] == 0).all()
    assert (cost[0][1] == 0).all()
    assert (cost[0][2] == 0).all()
    assert (cost[1][:, 2] == 0).all()
    assert (cost[0][3:] > 0).all()
    gain = found.gain()
    assert (gain[1][:, 0] == 0).all()
    assert (gain[0][2] == 0).all()


def test_the_cost_foretells_the_rise_of_the_loss():
    """Removing one weight and letting the bias follow raises the distance to a teacher by half its cost."""
    model, (x, y) = linear(), rows()
    taught = torch.tensor(x)
    with torch.no_grad():
        outputs = model(taught)
    found = look(model, x, y)
    cost = found.cost([model[0].weight])[0].numpy() / 2
    rises = np.empty_like(cost)
    for index in np.ndindex(*cost.shape):
        bias = model[0].bias.detach().clone()
        weight = model[0].weight.detach().clone()
        bias[index[0]] += weight[index] * found.pull[0][index]
        weight[index] = 0
        logits = torch.nn.functional.linear(taught, weight, bias)
        rises[index] = float(
            torch.nn.functional.kl_div(
                torch.log_softmax(logits, 1), torch.log_softmax(outputs, 1), reduction="batchmean", log_target=True
            )
        )
    assert np.corrcoef(np.log(cost.ravel()), np.log(rises.ravel()))[0, 1] > 0.95


def test_values_have_the_curvature_of_squared_error():
    model, (x, _) = linear(bias=False), rows()
    found = look(model, x, x[:, :3], objective=Objective(False))
    wanted = np.mean(x.astype(np.float64) ** 2, 0)[None].repeat(3, 0)
    assert np.mean(found.curvature[0].numpy() / wanted) == pytest.approx(1, abs=0.12)
