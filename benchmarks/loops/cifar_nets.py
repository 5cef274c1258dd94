"""Convolutional networks for CIFAR-10 of any width, and their data: for the tables of this folder."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

HELD_OUT = 5000


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut without weights (He et al. 2016, option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second_norm(self.second(torch.relu(self.first_norm(self.first(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        if self.added > 0:
            short = nn.functional.pad(short, (0, 0, 0, 0, 0, self.added))
        return torch.relu(y + short)


class Inverted(nn.Module):
    """Expansion, depthwise and projection (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body(x)
        return x + y if self.shortcut else y


def resnet20(width: int) -> nn.Sequential:
    """ResNet-20; the published width is 16."""
    stem = (nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    blocks: list[nn.Module] = []
    before = width
    for stage in range(3):
        for block in range(3):
            outputs = width << stage
            blocks.append(Residual(before, outputs, 2 if stage and not block else 1))
            before = outputs
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def mobilenet(width: int) -> nn.Sequential:
    """A small MobileNet-V2, with stride 2 first as published; 16 stands for about half its published widths."""
    plan = ((1, 1, 1, 1), (6, 1.5, 2, 1), (6, 2, 2, 2), (6, 4, 2, 2), (6, 6, 1, 1))  # expansion, widths, blocks, stride
    parts: list[nn.Module] = [nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
    before = width
    for expansion, widths, blocks, stride in plan:
        outputs = int(width * widths)
        for block in range(blocks):
            parts.append(Inverted(before, outputs, 1 if block else stride, expansion))
            before = outputs
    last = 8 * width
    parts += [nn.Conv2d(before, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6()]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 10))


NETS = {"resnet-20": resnet20, "mobilenet-v2": mobilenet}


@dataclass(frozen=True, eq=False)
class Cifar:
    """Images as float32 (rows, 3, 32, 32), standardised: training, a judge held out of it, and the test set."""

    train: tuple[Any, Any]
    judge: tuple[Any, Any]
    test: tuple[Any, Any]


def read_cifar(folder: Path, rows: int) -> Cifar:
    """The JPEG files inside `cifar10_jpeg.npz`; of the training part the first `rows`, whose last tenth judges."""
    from PIL import Image

    made = {}
    with np.load(folder / "cifar10_jpeg.npz") as file:
        for split, limit in (("train", rows), ("test", 10_000)):
            data, offsets = file[f"jpeg_{split}"].tobytes(), file[f"offset_{split}"][: limit + 1]
            images = [np.asarray(Image.open(io.BytesIO(data[a:b])).convert("RGB")) for a, b in pairwise(offsets)]
            made[split] = np.stack(images).transpose(0, 3, 1, 2), file[f"y_{split}"][: len(images)].astype(np.int64)
    mean = made["train"][0].mean((0, 2, 3), keepdims=True)
    std = made["train"][0].std((0, 2, 3), keepdims=True)
    x, y = (torch.from_numpy(((made["train"][0] - mean) / std).astype(np.float32)), torch.from_numpy(made["train"][1]))
    tested = torch.from_numpy(((made["test"][0] - mean) / std).astype(np.float32)), torch.from_numpy(made["test"][1])
    cut = len(x) - max(1, min(HELD_OUT, len(x) // 10))
    return Cifar((x[:cut], y[:cut]), (x[cut:], y[cut:]), tested)


def shifted(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Every image mirrored or not, and moved by up to four pixels."""
    padded = nn.functional.pad(x, (4, 4, 4, 4))
    mirror = torch.rand(len(x), generator=generator) < 0.5
    padded[mirror] = padded[mirror].flip(3)
    down, right = (int(v) for v in torch.randint(0, 9, (2,), generator=generator))
    return padded[:, :, down : down + 32, right : right + 32]


def dense_net(name: str, width: int, data: Cifar, seed: int, epochs: int, folder: Path) -> nn.Module:
    """The trained network: SGD with momentum 0.9 on one cycle up to 0.2, batches of 128; kept in `folder`."""
    torch.manual_seed(seed)
    model = NETS[name](width).to(memory_format=torch.channels_last)  # a third faster to train on a processor
    path = folder / f"{name}-width{width}-seed{seed}-rows{len(data.train[0])}-epochs{epochs}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model.eval()
    x, y = data.train
    steps = epochs * (len(x) // 128)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.2, total_steps=max(2, steps), pct_start=0.25)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x) - 127, 128):
            at = order[start : start + 128]
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(shifted(x[at], generator)), y[at], label_smoothing=0.1)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return model.eval()
