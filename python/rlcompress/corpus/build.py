"""`build_corpus`: data sets of a folder, each with several random base networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Union

import numpy as np

from rlcompress.corpus.architectures import Architecture, random_architecture
from rlcompress.corpus.base_networks import TrainingLimits, train_bases
from rlcompress.corpus.cache import BaseNetworkCache, open_cache
from rlcompress.corpus.families import detect_families
from rlcompress.corpus.folder import Binarise, DataSet, data_sets
from rlcompress.engine.events import Emit, Event, Note
from rlcompress.engine.parallel import available_cpus, parallel_map
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.tasks.labelled import Pair
from rlcompress.tasks.row_splits import deal

Source = Union[str, PathLike[str], Sequence[DataSet]]


@dataclass(frozen=True)
class CorpusSettings:
    """How a corpus is made of its data sets.

    Args:
        networks: per data set, >= 1.
        rows: most rows of a task; what is left over, up to as many again, becomes the item's `extra` rows.
        validation: share of a task's rows held out of training, in four equal splits.
        seed: of everything, >= 0.
        layers, widths, step: of the random architectures.
        limits: of each training; generous by default, so that a busy machine trains the same networks.
    """

    networks: int = 6
    rows: int = 8000
    validation: float = 0.5
    seed: int = 0
    layers: tuple[int, int] = (1, 6)
    widths: tuple[int, int] = (100, 1000)
    step: int = 100
    limits: TrainingLimits = field(default_factory=lambda: TrainingLimits(seconds=60.0))

    def __post_init__(self) -> None:
        for name, least in (("networks", 1), ("rows", 20), ("seed", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class CorpusItem:
    """One base network and the rows that it is narrowed on.

    Args:
        data_set: name of the data set.
        index: of the network among those of its data set.
        task: rows, dealt anew for every index.
        network: trained on the task's training rows.
        architecture: of the network as it was trained.
        extra: rows in no split of any task of this data set, for checks that need many rows; None where all are used.
    """

    data_set: str
    index: int
    task: DatasetTask
    network: Network
    architecture: Architecture
    extra: Pair | None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Base networks over many data sets.

    Args:
        items: by data set, then by index.
        families: of each data set, by name.
    """

    items: tuple[CorpusItem, ...]
    families: dict[str, str]

    def __iter__(self) -> Iterator[CorpusItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of(self, names: Sequence[str]) -> Corpus:
        """The items of these data sets."""
        return Corpus(tuple(item for item in self.items if item.data_set in names), self.families)


def build_corpus(
    source: Source,
    *,
    networks: int = 6,
    seed: int = 0,
    jobs: int | None = None,
    cache: Union[str, PathLike[str], BaseNetworkCache, None] = None,
    settings: CorpusSettings | None = None,
    binarise: Binarise | None = "mean",
    on_event: Emit | None = None,
) -> Corpus:
    """Data sets with random base networks, trained in parallel over data sets.

    The same arguments give the same corpus, as long as no training is cut short by its seconds; with a cache they give
    the very same files again.

    Args:
        source: folder of tables, or data sets.
        networks: per data set.
        seed: of everything.
        jobs: worker processes; default: the processors that this process may use.
        cache: folder that keeps trained networks.
        settings: all of them at once; `networks` and `seed` then stay out.
        binarise: for a folder, as for `data_sets`.
        on_event: told of every trained network, and of damaged files.

    Raises:
        InvalidValueError: settings out of range, or a data set that cannot be used; names it.
        MissingExtraError: torch is not installed.
    """
    settings = settings or CorpusSettings(networks=networks, seed=seed)
    sets = list(source) if not isinstance(source, (str, PathLike)) else data_sets(source, binarise=binarise)
    jobs = available_cpus() if jobs is None else jobs
    work = partial(_items_of, settings=settings, cache=open_cache(cache))
    found = parallel_map(work, sets, jobs)
    for _, notes in found:
        for note in notes:
            if on_event is not None:
                on_event(note)
    items = tuple(item for made, _ in found for item in made)
    return Corpus(items, detect_families(sets))


def items_of(
    data: DataSet, settings: CorpusSettings, cache: BaseNetworkCache | None, on_event: Emit = lambda event: None
) -> list[CorpusItem]:
    """The items of one data set, trained or read from the cache."""
    return [item_of(data, index, settings, cache, on_event) for index in range(settings.networks)]


def stored_items(
    data: DataSet, settings: CorpusSettings, cache: BaseNetworkCache, on_event: Emit = lambda event: None
) -> list[CorpusItem]:
    """Those items of a data set whose networks are in the cache; nothing is trained."""
    plans = [plan_of(data, index, settings) for index in range(settings.networks)]
    found = [(plan, cache.find(plan.task, plan.architecture, plan.seed, settings.limits, on_event)) for plan in plans]
    return [plan.with_network(network) for plan, network in found if network is not None]


def item_of(
    data: DataSet,
    index: int,
    settings: CorpusSettings,
    cache: BaseNetworkCache | None,
    on_event: Emit = lambda event: None,
) -> CorpusItem:
    """One item of a data set, its network trained or read from the cache.

    Raises:
        InvalidValueError: too few rows for the splits; names the data set.
    """
    plan = plan_of(data, index, settings)
    network = None
    if cache is not None:
        network = cache.find(plan.task, plan.architecture, plan.seed, settings.limits, on_event)
    if network is None:
        network = train_bases(plan.task, [plan.architecture], seeds=[plan.seed], limits=settings.limits)[0]
        notes = network.metadata
        size = f"{plan.architecture.name}, {network.parameter_count:,} parameters"
        on_event(Note(f"{data.name} #{index}: {size}, {notes['epochs']} epochs, {notes['seconds']:.1f} s"))
        if cache is not None:
            cache.store(plan.task, plan.architecture, plan.seed, settings.limits, network)
    return plan.with_network(network)


@dataclass(frozen=True, eq=False)
class Plan:
    """An item before its network is trained; fields as of `CorpusItem`, and the seed of the training."""

    data_set: str
    index: int
    task: DatasetTask
    architecture: Architecture
    extra: Pair | None
    seed: int

    def with_network(self, network: Network) -> CorpusItem:
        return CorpusItem(self.data_set, self.index, self.task, network, self.architecture, self.extra)


def plan_of(data: DataSet, index: int, settings: CorpusSettings) -> Plan:
    """What an item is made of; every index has its own architecture, deal of rows and first weights.

    Raises:
        InvalidValueError: too few rows for the splits; names the data set.
    """
    seed = settings.seed + index
    try:
        kept, extra = capped(data, settings.rows, settings.seed)
        task = DatasetTask(
            kept.x, kept.y, validation=settings.validation, seed=seed, metric=data.metric, name=data.name
        )
    except InvalidValueError as error:
        raise InvalidValueError(f"{data.name}: {error}") from error
    rng = np.random.default_rng((settings.seed, index, *hashlib.sha256(data.name.encode()).digest()[:8]))
    architecture = random_architecture(rng, layers=settings.layers, widths=settings.widths, step=settings.step)
    return Plan(data.name, index, task, architecture, extra, seed)


def capped(data: DataSet, rows: int, seed: int) -> tuple[Pair, Pair | None]:
    """At most `rows` rows with their share of every class, and up to as many others, None where there are none."""
    if len(data.x) <= rows:
        return Pair(data.x, data.y), None
    pools = deal(data.y, ("task",), rows / len(data.x), seed)
    task, extra = pools["task"][:rows], pools["data"][:rows]
    return Pair(data.x[task], data.y[task]), Pair(data.x[extra], data.y[extra])


def _items_of(
    data: DataSet, settings: CorpusSettings, cache: BaseNetworkCache | None
) -> tuple[list[CorpusItem], list[Event]]:
    notes: list[Event] = []
    return items_of(data, settings, cache, notes.append), notes


__all__ = ["Corpus", "CorpusItem", "CorpusSettings", "build_corpus", "capped", "item_of", "items_of", "stored_items"]
