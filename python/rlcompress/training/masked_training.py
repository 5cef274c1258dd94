"""The loop: epochs of Adam under masks, which a search may change on the way; continues from a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlcompress.arrays import BoolArray
from rlcompress.engine.checkpoint import check_same
from rlcompress.errors import CheckpointError, DivergenceError
from rlcompress.optional import require
from rlcompress.training.finetuning import Epoch, FineTuning, Report
from rlcompress.training.importance import Importance, importance
from rlcompress.training.labelled_rows import Augment, Data, LabelledRows
from rlcompress.training.mask_search import MaskSearch
from rlcompress.training.model_inputs import InputType, input_type, outputs_of
from rlcompress.training.objective import Objective
from rlcompress.training.private_copy import preserved_generators, private_copy
from rlcompress.training.tensor_digest import digest_of, state_digest
from rlcompress.training.weight_masks import biases_of, parameters_of

if TYPE_CHECKING:
    import torch


class MaskedTraining:
    """A training of `model`, in place.

    Args:
        model: a working copy.
        masks: bool tensors by parameter name; False weights become zero and stay so, unless `search` takes them back.
        data, augment: see `LabelledRows`.
        settings: how.
        teacher: whose outputs are learnt besides the labels.
        search: changes the masks on the way; None holds them.
        held: bool tensors by `id` of a parameter of `model`: False stays zero whatever the masks say.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        masks: Mapping[str, torch.Tensor],
        data: Data,
        settings: FineTuning,
        teacher: torch.nn.Module,
        augment: Augment | None,
        search: MaskSearch | None,
        held: Mapping[int, torch.Tensor],
    ) -> None:
        torch = require("torch")
        self.model, self.settings, self.search = model, settings, search
        self.names = tuple(masks)
        self.weights: list[Any] = parameters_of(model, self.names)
        self.masks = [masks[name] & held.get(id(weight), True) for name, weight in zip(self.names, self.weights)]
        self.held = [(weight, held[id(weight)]) for weight in model.parameters() if id(weight) in held]
        self.biases: list[Any] = biases_of(model, self.names)
        with preserved_generators():
            kind = input_type(model)
            self.teacher = teacher if settings.distil > 0 else None
            told = None if self.teacher is None else _outputs(self.teacher, kind)
            device = next((value.device for value in model.parameters()), torch.device("cpu"))
            self.rows = LabelledRows(data, settings.batch_size, told, augment, device, kind)
        self.objective = Objective(self.rows.discrete, settings.distil, settings.temperature)
        self.optimiser: Any = torch.optim.Adam(
            [p for p in model.parameters() if p.requires_grad], lr=settings.learning_rate, weight_decay=settings.l2
        )
        self.seen: Importance | None = None
        self.step = 0

    def run(self, on_epoch: Report | None, checkpoint: Path | None) -> tuple[torch.nn.Module, dict[str, BoolArray]]:
        """All epochs that are left.

        Raises:
            DivergenceError: the loss is not finite.
            CheckpointError: the checkpoint is of another training, model, teacher or other rows.
        """
        torch = require("torch")
        mode = self.model.training
        identity = {} if checkpoint is None else self._identity()
        self._apply(self.masks)
        with preserved_generators():
            done = self._load(checkpoint, identity)
            for epoch in range(done, self.settings.epochs):
                torch.manual_seed(self.settings.seed * 1_000_003 + epoch)
                loss = self._epoch(epoch)
                kept = {name: int(mask.sum()) for name, mask in zip(self.names, self.masks)}
                self._save(checkpoint, identity, epoch + 1)
                if on_epoch is not None:
                    on_epoch(Epoch(epoch + 1, self.settings.epochs, loss, kept))
            self._search_masks()  # where no step was left to meet the target
        self.model.train(mode)
        self.model.zero_grad(set_to_none=True)
        return self.model, {name: mask.cpu().numpy().copy() for name, mask in zip(self.names, self.masks)}

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0..1."""
        steps = self.settings.epochs * self.rows.batches
        return self.step / steps if steps else 1.0

    def _epoch(self, epoch: int) -> float:
        self.model.train()
        total, batches = 0.0, 0
        for x, y, taught in self.rows.epoch(self.settings.seed, epoch):
            self._search_masks()
            for group in self.optimiser.param_groups:
                group["lr"] = self.settings.rate(self.step, self.settings.epochs * self.rows.batches)
            outputs = outputs_of(self.model, x)
            self.objective.check(outputs, y)
            loss = self.objective.loss(outputs, y, taught)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for weight, mask in (*zip(self.weights, self.masks), *self.held):
                if weight.grad is not None:
                    weight.grad.mul_(mask)
            self.optimiser.step()
            self.step += 1
            total, batches = total + float(loss.detach()), batches + 1
        mean = total / max(1, batches)
        if not math.isfinite(mean):
            raise DivergenceError(
                f"the loss is {mean} in epoch {epoch + 1}: lower learning_rate ({self.settings.learning_rate}), "
                "or check the rows"
            )
        return mean

    def _search_masks(self) -> None:
        search = self.search
        if search is None or not search.due(self.step, self.settings.epochs * self.rows.batches, self.masks):
            return
        seen = None
        if search.schedule.importance == "loss":
            self.model.eval()
            seed = self.settings.seed * 1_000_003 + self.step
            arguments = (self.weights, self.biases, self.rows, self.objective, search.schedule.rows, seed)
            seen = importance(self.model, *arguments).blended(self.seen)
            self.model.train()
            self.seen = seen
        after = search.change(self.progress, self.weights, self.masks, seen)
        if seen is not None:
            self._make_up(after, seen)
        self._apply(after)

    def _make_up(self, after: list[Any], seen: Importance) -> None:
        """Biases take over what the weights that go gave on average."""
        for weight, bias, mask, pull in zip(self.weights, self.biases, after, seen.pull):
            if bias is not None:
                gone = (weight.detach() * ~mask * pull).flatten(1).sum(1)
                bias.data += gone

    def _apply(self, masks: list[Any]) -> None:
        """Zeroes what the masks leave out, with its momentum."""
        self.masks = masks
        for weight, mask in (*zip(self.weights, masks), *self.held):
            weight.data *= mask
            state = self.optimiser.state.get(weight, {})
            for name in ("exp_avg", "exp_avg_sq"):
                if name in state:
                    state[name].mul_(mask)

    def _identity(self) -> dict[str, Any]:
        """What the outcome depends on, before the first step; of a loader its length alone, as reading it may vary."""
        return {
            "settings": repr(self.settings),
            "search": None if self.search is None else self.search.identity,
            "names": list(self.names),
            "given": digest_of(self.masks),
            "model": state_digest(self.model),
            "teacher": None if self.teacher is None else state_digest(self.teacher),
            "rows": self.rows.digest,
            "augment": self.rows.augment_name,
        }

    def _save(self, path: Path | None, identity: dict[str, Any], done: int) -> None:
        if path is None:
            return
        record = {
            "identity": identity,
            "done": done,
            "step": self.step,
            "model": self.model.state_dict(),
            "masks": list(self.masks),
            "optimiser": self.optimiser.state_dict(),
            "curvature": None if self.seen is None else self.seen.curvature,
        }
        part = path.with_name(path.name + ".part")
        require("torch").save(record, part)
        part.replace(path)

    def _load(self, path: Path | None, expected: dict[str, Any]) -> int:
        if path is None or not path.exists():
            return 0
        try:
            record = require("torch").load(path, weights_only=True)
            identity, done = record["identity"], int(record["done"])
        except Exception as error:
            raise CheckpointError(f"{path}: no checkpoint of a masked training ({error}); delete it") from error
        check_same(path, "training", identity, expected)
        self.model.load_state_dict(record["model"])
        self.optimiser.load_state_dict(record["optimiser"])
        self.step, self.masks = int(record["step"]), list(record["masks"])
        if record["curvature"] is not None:
            self.seen = Importance(record["curvature"], [], [])
        return done


def _outputs(teacher: Any, kind: InputType) -> Any:
    """The teacher in evaluation mode, without gradients, on a copy of its own that takes the same rows."""
    torch = require("torch")
    frozen = private_copy(teacher).model.eval()
    if input_type(frozen).floating != kind.floating:
        frozen = frozen.to(kind.floating)

    def told(x: Any) -> Any:
        with torch.no_grad():
            return outputs_of(frozen, x)

    return told
