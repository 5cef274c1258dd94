"""What masked training minimises, and labels drawn from the network's own beliefs (for its curvature)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Objective:
    """Cross-entropy or squared error, mixed with what a teacher says.

    `(1 - distil) * CE(y) + distil * T^2 * KL(teacher_T || network_T)` for classes, squared errors to both for values.

    Args:
        discrete: whether targets are classes (int64) or values.
        distil: weight of the teacher, 0..1.
        temperature: T, > 0.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network (2015).
    """

    discrete: bool
    distil: float = 0.0
    temperature: float = 1.0

    def check(self, outputs: torch.Tensor, y: torch.Tensor) -> None:
        """Refuse outputs that do not fit the targets.

        Raises:
            InvalidValueError: says both shapes, or the class that has no output.
        """
        fits = (outputs.ndim == 2 and len(outputs) == len(y)) if self.discrete else outputs.shape == y.shape
        if not fits:
            wanted = f"({len(y)}, classes >= 2)" if self.discrete else tuple(y.shape)
            raise InvalidValueError(
                f"data: outputs of {wanted} expected for these y, found {tuple(outputs.shape)}; wrap the model in a "
                "module that gives this shape"
            )
        if self.discrete and outputs.shape[1] == 1:
            raise InvalidValueError(
                "model: at least 2 outputs expected for classes, found 1 (a single logit); give the model two outputs, "
                "or y as floats to fit values"
            )
        if self.discrete and int(y.max()) >= outputs.shape[1]:
            raise InvalidValueError(
                f"data: y below {outputs.shape[1]}, the model's outputs, expected, found {int(y.max())}"
            )

    def loss(self, outputs: torch.Tensor, y: torch.Tensor, taught: torch.Tensor | None) -> torch.Tensor:
        """Mean over the batch.

        Args:
            outputs: (batch, outputs) of the network.
            y: (batch,) int64, or (batch, outputs) float.
            taught: (batch, outputs) of the teacher, None without one.
        """
        F: Any = require("torch.nn.functional")
        share = self.distil if taught is not None else 0.0
        total: Any = 0.0
        if share < 1:
            total = (1 - share) * (F.cross_entropy(outputs, y) if self.discrete else F.mse_loss(outputs, y))
        if taught is not None and share > 0 and self.discrete:
            found, wanted = (F.log_softmax(z / self.temperature, 1) for z in (outputs, taught))
            divergence = F.kl_div(found, wanted, reduction="batchmean", log_target=True)
            total = total + share * self.temperature**2 * divergence
        elif share > 0:
            total = total + share * F.mse_loss(outputs, taught)
        return total  # type: ignore[no-any-return]

    def own_beliefs(self, outputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Sum over the batch of a loss on targets drawn from the network itself.

        Its gradients have mean zero, are independent over rows, and their squares average to the Gauss-Newton diagonal
        of `loss` (up to a factor for values).
        """
        torch = require("torch")
        if not self.discrete:
            noise = torch.randn(outputs.shape, generator=generator).to(outputs)
            return (outputs * noise).sum()  # type: ignore[no-any-return]
        heat = self.temperature if self.distil > 0.5 else 1.0
        beliefs = torch.softmax(outputs.detach() / heat, 1)
        drawn = torch.multinomial(beliefs.cpu(), 1, generator=generator)[:, 0].to(outputs.device)
        return heat * torch.nn.functional.cross_entropy(outputs / heat, drawn, reduction="sum")  # type: ignore[no-any-return]
