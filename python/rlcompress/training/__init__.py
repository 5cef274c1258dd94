"""Training of networks: against a teacher (networks in, networks out), and of any torch module under masks."""

from __future__ import annotations

from rlcompress.training.distil import Distillation, Student, distil
from rlcompress.training.finetuning import Epoch, FineTuning
from rlcompress.training.labels import Labels, label
from rlcompress.training.mask_search import Schedule
from rlcompress.training.sparse_finetune import fine_tune, gradual

__all__ = [
    "Distillation",
    "Epoch",
    "FineTuning",
    "Labels",
    "Schedule",
    "Student",
    "distil",
    "fine_tune",
    "gradual",
    "label",
]
