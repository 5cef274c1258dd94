"""`DatasetTask`: a network judged row by row on labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, Literal, Union

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.network import Network
from rlcompress.problem import SPLITS, Actor, Batch, Float64Array, Score, Split
from rlcompress.runtime import Runtime
from rlcompress.tasks.class_names import moved, names_of, numbered, order_for, told_classes
from rlcompress.tasks.data_files import load_data
from rlcompress.tasks.labelled import Pair, Targets
from rlcompress.tasks.row_checks import Metric, check_classes, check_varies, checked_rows, digest_of
from rlcompress.tasks.row_splits import IndexArray, deal

_BLOCK = 4096


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
        x, y = checked_rows(self.x, given[0], self.metric, "x and y")
        check_varies(y, self.metric)
        pools: dict[str, tuple[FloatArray, Targets, IndexArray]] = {}
        held: tuple[Split, ...] = SPLITS if self.test is None else SPLITS[:-1]
        for pool, rows in deal(y, held, self.validation, self.seed).items():
            pools[pool] = (x, y, rows)
        if self.test is not None:
            xt, yt = checked_rows(self.test[0], given[1], self.metric, "test")
            if xt.shape[1:] != x.shape[1:] or yt.shape[1:] != y.shape[1:]:
                raise InvalidValueError(f"test: rows of {x.shape[1:]} expected as in x, found {xt.shape[1:]}")
            pools["final"] = (xt, yt, np.arange(len(xt)))
        if self.metric == "accuracy":
            check_classes(y)
        for attribute, value in (("x", x), ("y", y), ("classes", names), ("_pools", pools)):
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
        """The same rows with classes numbered in the order of these labels.

        Raises:
            InvalidValueError: values, numbers without labels, or a label that is not among the classes.
        """
        order = names_of(classes)
        if not isinstance(self.classes, tuple) or order is None:
            raise InvalidValueError(f"{self.name}: labels as text expected to be numbered; y holds numbers alone")
        places = moved(self.classes, order, self._found, self.name)
        test = None if self.test is None else (self.test[0], places[self.rows("final").y])
        return replace(self, y=places[self.y], test=test, classes=order)

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
            return max(int(self.y.max()), *(int(pool[1].max()) for pool in self._all.values())) + 1
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    @property
    def training_rows(self) -> Pair:
        """(x, y) of the rows in no split: what a network or a scaling may be fitted on."""
        x, y, rows = self._all["data"]
        return Pair(x[rows], y[rows])

    def rows(self, split: Split) -> Pair:
        """(x, y) of a split, in the order of its units."""
        x, y, rows = self._all[split]
        return Pair(x[rows], y[rows])

    def count(self, split: Split) -> int:
        """Units that a split holds."""
        return len(self._all[split][2])

    def check(self, network: Network) -> None:
        """Refuse a network whose sizes or head do not fit.

        Raises:
            InvalidValueError: says which size or head is wrong.
        """
        wanted = int(np.prod(self.x.shape[1:]))
        if network.contract.input_size != wanted:
            raise InvalidValueError(
                f"{self.name}: rows of {wanted} values, the network takes {network.contract.input_size}"
            )
        discrete = isinstance(network.contract.head, Argmax)
        if self.metric == "squared_error" and discrete:
            raise InvalidValueError(f"{self.name}: values are asked for, the network's head is argmax; use Raw()")
        if self._order_for(network) is not None:
            raise InvalidValueError(
                f"{self.name}: its classes are numbered otherwise than the network's outputs; "
                "use task.for_network(network)"
            )
        fits = network.output_size >= self.outputs if self.metric == "accuracy" else network.output_size == self.outputs
        if not fits:
            remedy = ""
            if self.metric == "accuracy" and network.output_size == 1:
                remedy = (
                    "; for values give metric='squared_error' (--kind values for a command), for two classes told by "
                )
                remedy += "one output rlc.two_outputs(network) (--kind classes)"
            elif self.metric == "accuracy" and len(np.unique(self.y)) <= network.output_size:
                remedy = (
                    f"; classes {self.y.min()} to {self.y.max()} were found, number them from 0 as the outputs are: "
                )
                remedy += "np.searchsorted(classifier.classes_, y)"
            raise InvalidValueError(
                f"{self.name}: {self.outputs} outputs needed, the network gives {network.output_size}{remedy}"
            )

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
        return Score(self._judge(network, split, np.arange(start, start + count)))

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
        found = self._judge(network, split, np.arange(self.count(split)))
        y = self.rows(split).y
        return float(np.mean([found[y == label].mean() for label in np.unique(y)]))

    def visit(self, actor: Actor, start: int, count: int, seed: int, explore: float = 0.0) -> Batch:
        """`count` training rows from `start` on, from the first again after the last; what acts has no influence."""
        x, _, rows = self._all["data"]
        at = np.arange(start, start + count) % len(rows)
        scores = self._judge(actor, "data", at) if isinstance(actor, Network) else np.zeros(0)
        return Batch(x[rows[at]].reshape(count, -1), scores)

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
        arrays = [array for x, y, _ in (self._all["data"], self._all["final"]) for array in (x, y)]
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
    def _all(self) -> dict[str, tuple[FloatArray, Targets, IndexArray]]:
        pools: dict[str, tuple[FloatArray, Targets, IndexArray]] = getattr(self, "_pools")  # noqa: B009  # not a field
        return pools

    def _judge(self, network: Network, pool: str, units: IndexArray) -> Float64Array:
        x, y, rows = self._all[pool]
        runtime = Runtime(network)
        shape = network.contract.observation_shape
        blocks = [rows[units[at : at + _BLOCK]] for at in range(0, len(units), _BLOCK)]
        return np.concatenate([self._score_rows(network, runtime(x[b].reshape(-1, *shape)), y[b]) for b in blocks])

    def _score_rows(self, network: Network, found: Any, y: Targets) -> Float64Array:
        if self.metric == "squared_error":
            error = found.astype(np.float64) - y.reshape(len(y), -1)
            values: Float64Array = -np.mean(error**2, axis=1)
            return values
        head = network.contract.head
        chosen = found - head.start if isinstance(head, Argmax) else np.argmax(found, axis=1)
        correct: Float64Array = np.asarray(chosen == y, np.float64)
        return correct
