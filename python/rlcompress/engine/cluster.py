"""`cluster`: the worker processes of a run on the machines of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rlcompress.optional import require

# A machine that dies takes its workers along: they start again elsewhere, and their calls are made again.
_SURVIVE = {"max_restarts": -1, "max_task_retries": -1}


@contextmanager
def cluster(address: str | None = None) -> Iterator[int]:
    """Let every run inside the block judge its candidates on a Ray cluster (extra `distributed`).

    Results are those of one machine. Each node needs rlcompress with the same extras. A node may die: its work is done
    again on those that are left.

        with rlc.cluster("auto") as cpus:
            rlc.compress(teacher, task, rlc.PuRL(), jobs=cpus)

    Args:
        address: of the cluster, such as "auto" or "ray://head:10001"; None starts one on this machine, and ends it with
            the block. A cluster that this process is connected to already is used as it is.

    Yields:
        Processors of the cluster.

    Raises:
        MissingExtraError: ray or joblib is missing.
        ConnectionError: no cluster at the address.
    """
    joblib: Any = require("joblib")
    ray: Any = require("ray")
    require("ray.util.joblib").register_ray()
    connected = ray.is_initialized()
    if not connected:
        own = {"include_dashboard": False} if address is None else {}
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    try:
        with joblib.parallel_config("ray", ray_remote_args=_SURVIVE):
            yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if not connected:
            ray.shutdown()
