"""`DatasetTask`: a network judged row by row on labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, Literal, Union

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.network import Network
from rlcompress.problem import Actor, Batch, Score, Split
from rlcompress.tasks.class_names import moved, names_of, numbered, order_for, told_classes
from rlcompress.tasks.data_files import load_data
from rlcompress.tasks.labelled import Pair, Targets
from rlcompress.tasks.network_fit import check_inputs, check_outputs
from rlcompress.tasks.row_checks import Metric, check_classes, check_varies, checked_rows, digest_of
from rlcompress.tasks.row_pools import Pools, dealt, dealt_as
from rlcompress.tasks.row_scores import row_scores


@dataclass(frozen=True, eq=False)
class DatasetTask:
    """Labelled rows as judge; a row's score is 1 or 0 (its class was found or not), or the negative squared error.

    Rows are dealt once, by the seed, into training rows and four disjoint pools for the splits of `problem.Split`;
    classes (or small and large targets) are spread evenly. Scaling is the caller's business: a `Normalisation` in the
    network's contract, or scaled rows; fit it on training rows only (`training_rows`).

    Args:
        x: (rows, ...) finite numbers, cast to float32; uint8 is divided by 255.
        y: (rows,) class indices 0, 1, ... or labels as text for "accuracy"; (rows,) or (rows, outputs) finite numbers
            for "squared_error". Kept as numbers.
        test: (x, y) used for the `final` split alone; without it `final` takes its share of the rows.
        validation: share of the rows held out of training, 0..1 exclusive, for the splits in equal parts.
        seed: of the deal.
        metric: "accuracy" or "squared_error" (mean over outputs).
        name: for reports.
        source: file or name that `load_data` reads again on resume; None where arrays were given.
        target, kind: as for `load_data`, with `source`.
        classes: the label of each class index, such as `classifier.classes_`; text in y is looked up here, else it is
            numbered in sorted order and by the labels of the network that is compressed (`for_network`).

    Raises:
        InvalidValueError: shapes, NaN, a label that is not among the classes, constant targets, a class of one row,
            or too few rows; says which.
    """

    x: FloatArray
    y: Targets
    test: tuple[Any, Any] | None = field(default=None, kw_only=True)
    validation: float = field(default=0.25, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    metric: Metric = field(default="accuracy", kw_only=True)
    name: str = field(default="dataset", kw_only=True)
    source: str | None = field(default=None, kw_only=True)
    target: Union[str, int, None] = field(default=None, kw_only=True)
    kind: Literal["auto", "classes", "values"] = field(default="auto", kw_only=True)
    classes: Sequence[Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.metric not in ("accuracy", "squared_error"):
            raise InvalidValueError(f"metric: 'accuracy' or 'squared_error' expected, found {self.metric!r}")
        if not 0 < self.validation < 1:
            raise InvalidValueError(f"validation: a share between 0 and 1 expected, found {self.validation}")
        given, names = self._targets()
        rows = checked_rows(self.x, given[0], self.metric, "x and y")
        check_varies(rows.y, self.metric)
        test = None if self.test is None else checked_rows(self.test[0], given[1], self.metric, "test")
        if test is not None and (test.x.shape[1:] != rows.x.shape[1:] or test.y.shape[1:] != rows.y.shape[1:]):
            raise InvalidValueError(f"test: rows of {rows.x.shape[1:]} expected as in x, found {test.x.shape[1:]}")
        pools = dealt(rows, test, self.validation, self.seed)
        if self.metric == "accuracy":
            check_classes(rows.y)
        for attribute, value in (("x", rows.x), ("y", rows.y), ("classes", names), ("_pools", pools)):
            object.__setattr__(self, attribute, value)

    def _targets(self) -> tuple[list[Any], tuple[str, ...] | None]:
        given = [self.y] if self.test is None else [self.y, self.test[1]]
        return numbered(given, names_of(self.classes), "y") if self.metric == "accuracy" else (given, None)

    @classmethod
    def from_file(
        cls,
        source: Union[str, PathLike[str]],
        *,
        target: Union[str, int, None] = None,
        kind: Literal["auto", "classes", "values"] = "auto",
        validation: float = 0.25,
        seed: int = 0,
        classes: Sequence[Any] | None = None,
    ) -> DatasetTask:
        """The task of a file, folder or name that `load_data` reads; `resume` finds it again by itself.

        Args:
            classes: the label of each output of the network, in order, where the network does not carry them.
            source, target, kind, validation, seed: as above and for `load_data`.
        """
        data = load_data(source, target=target, kind=kind)
        metric: Metric = "accuracy" if data.classes else "squared_error"
        task = cls(
            data.x,
            data.y,
            test=data.test,
            validation=validation,
            seed=seed,
            metric=metric,
            name=str(source),
            source=str(source),
            target=target,
            kind=kind,
            classes=data.classes or None,
        )
        return task if classes is None else task.with_classes(classes)

    def with_classes(self, classes: Sequence[Any]) -> DatasetTask:
        """The same rows, dealt as they are, with classes numbered in the order of these labels.

        Raises:
            InvalidValueError: values, numbers without labels, or a label that is not among the classes.
        """
        order = names_of(classes)
        if not isinstance(self.classes, tuple) or order is None:
            raise InvalidValueError(f"{self.name}: labels as text expected to be numbered; y holds numbers alone")
        places = moved(self.classes, order, self._found, self.name)
        test = None if self.test is None else (self.test[0], places[self.rows("final").y])
        renumbered = replace(self, y=places[self.y], test=test, classes=order)
        object.__setattr__(renumbered, "_pools", dealt_as(renumbered._all, self._all))
        return renumbered

    def for_network(self, network: Network) -> DatasetTask:
        """The task with classes numbered as the network's outputs: by `network.metadata["classes"]`, where it has them.

        Raises:
            InvalidValueError: a class that the network does not know, or labels that cannot be told from its outputs.
        """
        order = self._order_for(network)
        return self if order is None else self.with_classes(order)

    def _order_for(self, network: Network) -> tuple[str, ...] | None:
        names = self.classes if isinstance(self.classes, tuple) else None
        return None if names is None else order_for(names, self._found, network, self.name)

    @property
    def _found(self) -> Targets:
        """Class indices that occur, ascending."""
        return np.unique(np.concatenate([self.y, self.rows("final").y]))

    @property
    def searchable(self) -> bool:
        return True

    @property
    def outputs(self) -> int:
        """Outputs that a network for this task needs."""
        if self.metric == "accuracy":
            return max(int(self.y.max()), *(int(pool.y.max()) for pool in self._all.values())) + 1
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    @property
    def training_rows(self) -> Pair:
        """(x, y) of the rows in no split: what a network or a scaling may be fitted on."""
        return self._all["data"].pair

    def rows(self, split: Split) -> Pair:
        """(x, y) of a split, in the order of its units."""
        return self._all[split].pair

    def count(self, split: Split) -> int:
        """Units that a split holds."""
        return len(self._all[split])

    def check(self, network: Network) -> None:
        """Refuse a network whose sizes or head do not fit.

        Raises:
            InvalidValueError: says which size or head is wrong.
        """
        rows = Pair(self.x, self.y)
        check_inputs(network, rows, self.metric, self.name)
        if self._order_for(network) is not None:
            raise InvalidValueError(
                f"{self.name}: its classes are numbered otherwise than the network's outputs; "
                "use task.for_network(network)"
            )
        check_outputs(network, rows, self.outputs, self.metric, self.name)

    def prepare(self, teacher: Network) -> Network:
        """The teacher as it is."""
        return teacher

    def score(self, network: Network, split: Split, start: int, count: int) -> Score:
        """Scores of rows `start .. start + count - 1` of a split.

        Raises:
            InvalidValueError: the split does not hold these rows.
        """
        if start < 0 or count < 1 or start + count > self.count(split):
            raise InvalidValueError(
                f"{self.name}: split {split} holds {self.count(split)} rows, {start}..{start + count - 1} asked for; "
                "give more rows or a larger validation share"
            )
        return Score(row_scores(network, self._all[split], np.arange(start, start + count), self.metric))

    def score_many(self, networks: Sequence[Network], split: Split, start: int, count: int) -> list[Score]:
        """Several networks on the same rows."""
        return [self.score(network, split, start, count) for network in networks]

    def balanced_accuracy(self, network: Network, split: Split) -> float:
        """Mean over classes of the share of a class's rows that are found, in a whole split; chance is 1 / classes.

        Raises:
            InvalidValueError: targets are values.
        """
        if self.metric != "accuracy":
            raise InvalidValueError(f"{self.name}: balanced accuracy is for classes, the metric is {self.metric}")
        found = row_scores(network, self._all[split], np.arange(self.count(split)), self.metric)
        y = self.rows(split).y
        return float(np.mean([found[y == label].mean() for label in np.unique(y)]))

    def visit(self, actor: Actor, start: int, count: int, seed: int, explore: float = 0.0) -> Batch:
        """`count` training rows from `start` on, from the first again after the last; what acts has no influence."""
        pool = self._all["data"]
        at = np.arange(start, start + count) % len(pool)
        scores = row_scores(actor, pool, at, self.metric) if isinstance(actor, Network) else np.zeros(0)
        return Batch(pool.x[pool.rows[at]].reshape(count, -1), scores)

    def visit_many(
        self, actors: Sequence[Actor], start: int, count: int, seed: int, explore: float = 0.0
    ) -> list[Batch]:
        """`visit` for several actors."""
        return [self.visit(actor, start, count, seed, explore) for actor in actors]

    def describe(self) -> Mapping[str, Any]:
        """Settings that identify the task, with a digest of the rows."""
        return {
            **told_classes(self.classes),
            "kind": "dataset",
            "source": self.source,
            "target": self.target,
            "target_kind": self.kind,
            "metric": self.metric,
            "validation": self.validation,
            "seed": self.seed,
            "rows": len(self.x),
            "digest": self.digest,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over the shapes and bytes of all rows and targets."""
        arrays = [array for pool in (self._all["data"], self._all["final"]) for array in (pool.x, pool.y)]
        return digest_of(arrays)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> DatasetTask:
        """The task that `describe` told of, read again from its file.

        Raises:
            CheckpointError: the rows were given as arrays, or the file changed since.
        """
        source = description["source"]
        if source is None:
            raise CheckpointError(
                "task: its rows were given as arrays; give them to resume again as task=DatasetTask(...)"
            )
        task = cls.from_file(
            source,
            target=description["target"],
            kind=description["target_kind"],
            validation=description["validation"],
            seed=description["seed"],
            classes=description.get("classes"),
        )
        if task.digest != description["digest"]:
            raise CheckpointError(f"task: {source} changed since the run began; restore it")
        return task

    @property
    def _all(self) -> Pools:
        pools: Pools = getattr(self, "_pools")  # noqa: B009  # not a field
        return pools
