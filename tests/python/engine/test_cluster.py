"""Two nodes of a Ray cluster on this machine; one of them dies in the middle."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlcompress
from rlcompress.engine.cluster import cluster
from rlcompress.engine.parallel import parallel_map
from rlcompress.errors import FormatError, MissingExtraError

pytest.importorskip("joblib")
pytestmark = pytest.mark.filterwarnings("ignore")  # ray's own


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="ray is not installed (extra: distributed)")
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(Path(rlcompress.__file__).parents[1])
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def test_results_are_those_of_a_plain_loop_from_other_processes(nodes: Any) -> None:
    with cluster() as cpus:
        assert cpus == 2
        made = parallel_map(lambda item: (item * item, os.getpid()), range(8), cpus)
    assert [square for square, _ in made] == [item * item for item in range(8)]
    assert os.getpid() not in {process for _, process in made}


def test_an_error_names_the_item(nodes: Any) -> None:
    def fail(item: int) -> None:
        if item == 5:
            raise FormatError("weights", 3, "finite", "nan")

    with cluster() as cpus, pytest.raises(FormatError, match=r"item 5 of 8"):
        parallel_map(fail, range(8), cpus)


def test_a_node_dies_and_nothing_is_lost(nodes: Any, tmp_path: Path) -> None:
    second = nodes.add_node(num_cpus=2)

    def work(item: int) -> int:
        (tmp_path / f"{item}-{time.monotonic_ns()}").touch()
        time.sleep(0.2)
        return item**3

    import threading

    def kill() -> None:
        while not any(tmp_path.iterdir()):
            time.sleep(0.02)
        time.sleep(0.3)
        nodes.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    with cluster():
        found = parallel_map(work, range(24), 4)
    killer.join()
    assert found == [item**3 for item in range(24)]


def test_a_run_on_a_cluster_is_that_of_one_machine(nodes: Any) -> None:
    pytest.importorskip("torch")
    from rlcompress import DatasetTask, Dense, Network, PuRL, compress
    from rlcompress.contract import Argmax, Contract

    rng = np.random.default_rng(0)
    layers = (
        Dense(rng.normal(size=(12, 6)).astype(np.float32), np.zeros(12), "relu"),
        Dense(rng.normal(size=(3, 12)).astype(np.float32), np.zeros(3)),
    )
    network = Network(layers, Contract((6,), Argmax()))
    x = rng.normal(size=(400, 6)).astype(np.float32)
    y = np.asarray(rlcompress.Runtime(network)(x), np.int64).reshape(-1)
    settings = PuRL(target_sparsity=0.5, episodes=0, agent_share=0, pareto=0)
    alone = compress(network, DatasetTask(x, y), settings, jobs=1)
    with cluster() as cpus:
        far = compress(network, DatasetTask(x, y), settings, jobs=cpus)
    assert far.best == alone.best


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match="distributed"), cluster():
        pass
