"""Training of networks against a teacher: networks in, networks out."""

from __future__ import annotations

from rlcompress.training.distil import Distillation, Student, distil
from rlcompress.training.labels import Labels, label

__all__ = ["Distillation", "Labels", "Student", "distil", "label"]
