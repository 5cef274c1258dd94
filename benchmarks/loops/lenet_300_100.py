"""LeNet-300-100 on MNIST for the tables of this folder: its data, dense training, and the 23^3 plans by force."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

WIDTHS = (784, 300, 100, 10)
ALPHAS = np.arange(23) / 10
HELD_OUT = 5000


@dataclass(frozen=True, eq=False)
class Mnist:
    """Rows as float32 in 0..1: training, a judge held out of training, and the test set."""

    train: tuple[Any, Any]
    judge: tuple[Any, Any]
    test: tuple[Any, Any]


def read_mnist(folder: Path) -> Mnist:
    """The arrays of `mnist.npz`; the last 5,000 rows of the training part are the judge."""
    with np.load(folder / "mnist.npz") as file:
        names = {name.lower(): name for name in file.files}
        arrays = [file[names[name]] for name in ("x_train", "y_train", "x_test", "y_test")]
    x, y, x_test, y_test = arrays
    rows = [torch.from_numpy(part.reshape(len(part), -1).astype(np.float32) / 255) for part in (x, x_test)]
    labels = [torch.from_numpy(part.astype(np.int64)) for part in (y, y_test)]
    cut = len(x) - HELD_OUT
    return Mnist((rows[0][:cut], labels[0][:cut]), (rows[0][cut:], labels[0][cut:]), (rows[1], labels[1]))


def dense_net(data: Mnist, seed: int, epochs: int, folder: Path) -> torch.nn.Sequential:
    """The trained network: Adam 1e-3 on a cosine, batches of 128; kept in `folder` between runs."""
    torch.manual_seed(seed)
    parts: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(WIDTHS):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*parts[:-1])
    path = folder / f"lenet-300-100-seed{seed}-epochs{epochs}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model.eval()
    x, y = data.train
    steps = epochs * (len(x) // 128)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-5)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x) - 127, 128):
            rows = order[start : start + 128]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
            schedule.step()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return model.eval()
