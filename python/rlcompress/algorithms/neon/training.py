"""Training of the agent: base networks of a folder of data sets, a table of each, and learning by replay."""

from __future__ import annotations

import importlib.util
import io
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.learning import Learner, Learning
from rlcompress.algorithms.neon.lessons import lessons_of, together
from rlcompress.algorithms.neon.recording import Table, load_table, record, save_table
from rlcompress.corpus.build import CorpusSettings, item_of
from rlcompress.corpus.cache import BaseNetworkCache
from rlcompress.corpus.folder import DataSet, data_set, data_set_files, name_of
from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, Note, Progress
from rlcompress.engine.parallel import available_cpus, parallel_map
from rlcompress.engine.versions import versions
from rlcompress.errors import CheckpointError, FormatError, InvalidValueError
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.problem import Problem

_TABLES_SHARE = 0.75


@dataclass(frozen=True)
class AgentTraining:
    """How an agent is made.

    Args:
        networks: base networks per data set, >= 1.
        rows: most rows of a data set.
        steps: of each training of students, as runs will use.
        seed: of everything, >= 0.
        seconds: in all; three quarters at most go into tables. None: until all is done.
        learning: of the agent.
    """

    networks: int = 2
    rows: int = 8000
    steps: int = Settings.steps
    seed: int = 0
    seconds: float | None = None
    learning: Learning = field(default_factory=Learning)

    def __post_init__(self) -> None:
        for name, least in (("networks", 1), ("rows", 20), ("steps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")
        if self.seconds is not None and not self.seconds > 0:
            raise InvalidValueError(f"seconds: a value > 0 expected, found {self.seconds}")


def train_agent(
    data_dir: Path, journal: Path, settings: AgentTraining, *, jobs: int | None = None, emit: Emit = lambda event: None
) -> Network:
    """Train an agent on the tables of a folder; killed and called again it goes on where it was.

    Args:
        data_dir: CSV, TSV, ARFF or Parquet files, one data set each; values are cut at their mean into two classes.
        journal: folder that keeps base networks, tables and the learner.
        settings: of the training.
        jobs: worker processes over data sets; default: the processors that this process may use.
        emit: receives notes and progress.

    Returns:
        The agent, with what made it as metadata.

    Raises:
        InvalidValueError: no usable data set.
        CheckpointError: the journal holds a learner of other tables or settings.
    """
    began = time.monotonic()
    jobs = available_cpus() if jobs is None else jobs
    tables = tables_of(data_dir, journal, settings, jobs, emit)
    emit(Note(f"playing {settings.learning.teaching.episodes} runs on each of {len(tables)} tables"))
    lessons = parallel_map(partial(lessons_of, teaching=settings.learning.teaching), tables, jobs)
    learner = Learner(together(lessons), settings.learning)
    told = _Teller(journal, learner, emit)
    told.restore([table.name for table in tables])
    while learner.done < settings.learning.passes:
        learner.learn(learner.done + 1, told)
        told.store()
        if settings.seconds is not None and time.monotonic() - began > settings.seconds:
            emit(Note(f"out of time after {learner.done} of {settings.learning.passes} passes", warning=True))
            break
    told.close()
    figures = {"passes": learner.done, "states": len(learner.lessons), "over_rule": told.over_rule[-1:]}
    made_of = {"kind": "neon agent", "data": sorted({table.name for table in tables}), "figures": figures}
    described = {key: value for key, value in asdict(settings).items() if key != "seconds"}
    return learner.agent().with_metadata(**made_of, settings=described, versions=versions())


def tables_of(data_dir: Path, journal: Path, settings: AgentTraining, jobs: int, emit: Emit) -> list[Table]:
    """The tables of a folder's data sets, those in the journal read, the others recorded as long as time allows.

    Raises:
        InvalidValueError: no usable data set.
    """
    folder = journal / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    limit = None if settings.seconds is None else time.monotonic() + _TABLES_SHARE * settings.seconds
    files = data_set_files(data_dir)
    work = [(file, index) for index in range(settings.networks) for file in files]
    done = 0
    while done < len(work) and (done == 0 or limit is None or time.monotonic() < limit):
        part = work[done : done + jobs]
        for notes in parallel_map(partial(_record_one, journal=journal, settings=settings), part, jobs):
            for text in notes:
                emit(Note(text))
        done += len(part)
        emit(Progress(done / len(work), "tables"))
    names = [f"{name_of(file)}-{index}" for file, index in work]
    tables = [load_table(folder / f"{name}.npz") for name in names if (folder / f"{name}.npz").exists()]
    if not tables:
        raise InvalidValueError(f"{data_dir}: at least one data set of classes or values expected that can be learned")
    return tables


def _record_one(work: tuple[Path, int], journal: Path, settings: AgentTraining) -> list[str]:
    """Make sure of one table; what to say about it."""
    file, index = work
    path = journal / "tables" / f"{name_of(file)}-{index}.npz"
    if path.exists():
        try:
            load_table(path)
            return []
        except FormatError as error:
            path.unlink()
            return [f"recorded again: {error}", *_record_one(work, journal, settings)]
    try:
        data: DataSet = data_set(file, binarise="mean")
        corpus = CorpusSettings(networks=settings.networks, rows=settings.rows, seed=settings.seed)
        item = item_of(data, index, corpus, BaseNetworkCache(journal / "networks"))
    except InvalidValueError as error:
        return [f"left out: {error}"]
    table = record(f"{data.name}-{index}", Problem(item.network, item.task, settings.seed), item.extra, settings.steps)
    save_table(table, path)
    return [f"{table.name}: {len(table.move)} students of {item.network.parameter_count:,} parameters"]


class _Teller:
    """Keeps the learner in the journal, reports progress, and writes TensorBoard events where it is installed."""

    def __init__(self, journal: Path, learner: Learner, emit: Emit) -> None:
        self.path, self.learner, self.emit = journal / "learner.npz", learner, emit
        self.over_rule: list[float] = []
        self.names: Sequence[str] = ()
        self.writer: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            self.writer = require("torch.utils.tensorboard").SummaryWriter(str(journal / "events"))

    def __call__(self, done: int, over: float, share: float) -> None:
        self.over_rule.append(over)
        self.emit(Progress(done / self.learner.settings.passes, "learning"))
        self.emit(Note(f"pass {done}: {over:+.3f} over the rule on its lessons, another move in {100 * share:.0f} %"))
        if self.writer is not None:
            self.writer.add_scalar("over_rule", over, done)
            self.writer.add_scalar("other_moves", share, done)

    def store(self) -> None:
        write_learner(self.learner, self.path, {"names": list(self.names), "over_rule": self.over_rule})

    def restore(self, names: Sequence[str]) -> None:
        self.names = names
        if self.path.exists():
            head = read_learner(self.learner, self.path)
            if head["names"] != list(names):
                raise CheckpointError(
                    f"{self.path}: a learner of {len(head['names'])} other tables, now there are {len(names)}; "
                    "remove the file to learn from these"
                )
            self.over_rule = list(head["over_rule"])

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def write_learner(learner: Learner, path: Path, head: dict[str, Any]) -> None:
    """Write a learner's weights, optimiser and random numbers, atomically."""
    arrays = {f"a{index}": tensor for index, tensor in enumerate(_tensors(learner))}
    state = {**head, "done": learner.done, "settings": asdict(learner.settings),
             "random": learner.rng.bit_generator.state}  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, head=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
    write_durably(path, buffer.getvalue())


def read_learner(learner: Learner, path: Path) -> dict[str, Any]:
    """Put a learner back to where it was written.

    Raises:
        CheckpointError: damaged, or written under other settings.
    """
    torch = require("torch")
    try:
        with np.load(io.BytesIO(path.read_bytes())) as stored:
            head: dict[str, Any] = json.loads(bytes(stored["head"]))
            arrays = [stored[f"a{index}"] for index in range(len(stored.files) - 1)]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it to learn again") from error
    if head["settings"] != asdict(learner.settings):
        raise CheckpointError(f"{path}: a learner under other settings; remove it to learn under these")
    parameters = [parameter for group in learner.optimiser.param_groups for parameter in group["params"]]
    with torch.no_grad():
        for index, parameter in enumerate(parameters):
            value, first, second = (torch.from_numpy(array.copy()) for array in arrays[3 * index : 3 * index + 3])
            parameter.copy_(value)
            step = torch.tensor(float(head["done"] > 0) * float(arrays[-1]))
            learner.optimiser.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}
    learner.done = int(head["done"])
    learner.rng.bit_generator.state = head["random"]
    return head


def _tensors(learner: Learner) -> list[Any]:
    """For each parameter its value and Adam's two moments; last the number of Adam's steps."""
    found, steps = [], 0.0
    for group in learner.optimiser.param_groups:
        for parameter in group["params"]:
            moments = learner.optimiser.state.get(parameter, {})
            empty = np.zeros(tuple(parameter.shape), np.float32)
            found.append(parameter.detach().numpy().copy())
            found += [moments[key].numpy().copy() if moments else empty for key in ("exp_avg", "exp_avg_sq")]
            steps = float(moments["step"]) if moments else 0.0
    return [*found, np.array(steps)]


__all__ = ["AgentTraining", "read_learner", "tables_of", "train_agent", "write_learner"]
