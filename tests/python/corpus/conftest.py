"""Small generated data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rlcompress.tasks.dataset import DatasetTask


@pytest.fixture(scope="session")
def rings() -> DatasetTask:
    """Two classes by distance from the origin, with a constant third column far from zero."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1200, 2))
    y = (np.linalg.norm(x, axis=1) > 1.18).astype(np.int64)
    return DatasetTask(np.column_stack([x * [100, 0.01], np.full(1200, 7e4)]), y, seed=1, name="rings")


@pytest.fixture(scope="session")
def surface() -> DatasetTask:
    """Two values of three inputs, far from zero and of different spread."""
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (1200, 3))
    y = np.column_stack([500 + 30 * x[:, 0] * x[:, 1], -2 + 0.1 * x[:, 2]])
    return DatasetTask(x, y, metric="squared_error", name="surface")


@pytest.fixture
def tables(tmp_path: Path) -> Callable[..., Path]:
    """Writes arrays as CSV files, the target last: `tables(moons=(x, y))` gives the folder."""

    def write(**sets: tuple[np.ndarray, np.ndarray]) -> Path:
        for name, (x, y) in sets.items():
            head = ",".join([*(f"{name}{column}" for column in range(x.shape[1])), "target"])
            np.savetxt(tmp_path / f"{name}.csv", np.column_stack([x, y]), "%.8g", ",", header=head, comments="")
        (tmp_path / "index.csv").write_text("name,note\nall,of them\n")
        return tmp_path

    return write
