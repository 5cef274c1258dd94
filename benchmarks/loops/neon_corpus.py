"""Base networks over a folder of data sets, kept in a cache that `neon.py` reads.

    python benchmarks/loops/neon_corpus.py --data FOLDER --out CACHE --networks 6

The first network of every data set is trained before the second of any, so that the cache is of use while it grows.
Killed and started again it goes on where it was; what is in the cache is not trained again. A data set that cannot be
used is named and left out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rlcompress.corpus import BaseNetworkCache, CorpusSettings, DataSet, data_set, data_set_files
from rlcompress.corpus.build import item_of
from rlcompress.engine.events import Event
from rlcompress.errors import InvalidValueError


def read(folder: Path) -> list[DataSet]:
    """The usable data sets of a folder."""
    found = []
    for file in data_set_files(folder):
        try:
            found.append(data_set(file, binarise="mean"))
        except InvalidValueError as error:
            print(f"left out: {error}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of tables")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--networks", type=int, default=6, help="per data set")
    parser.add_argument("--rows", type=int, default=8000, help="most rows of a data set")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    settings = CorpusSettings(networks=given.networks, rows=given.rows, seed=given.seed)
    cache, began = BaseNetworkCache(given.out), time.monotonic()

    def say(event: Event) -> None:
        print(f"{time.monotonic() - began:7.0f} s  {getattr(event, 'text', event)}", flush=True)

    sets = read(given.data)
    for index in range(settings.networks):
        for data in sets:
            item = item_of(data, index, settings, cache, say)
            score = item.task.score(item.network, "final", 0, item.task.count("final"))
            print(f"           {data.name} #{index}: {score.mean:.4f} on {score.count} final rows", flush=True)


if __name__ == "__main__":
    main()
