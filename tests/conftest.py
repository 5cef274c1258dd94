"""Puts this folder on the import path, for `reference` and `random_networks`; test processes have one thread each."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before NumPy and torch are imported: several would wait on each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
