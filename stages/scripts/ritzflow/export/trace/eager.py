"""What the traced products are compared with: eager autograd on the module itself."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ritzflow.common.script_cli import InputError, Refusal, nearest
from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.inputs import Slots
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import exact

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (z, y) -> the losses of rows


def cross_entropy(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(z, y, reduction="none")


def values(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Targets as values [rows, C]; labels become unit vectors where there are several classes."""
    if not y.is_floating_point() and z.shape[1] > 1:
        y = F.one_hot(y, z.shape[1])
    return y.to(z.dtype).reshape(z.shape)


def mse(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return 0.5 * ((z - values(z, y)) ** 2).sum(1)


def bce(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(z, values(z, y), reduction="none").sum(1)


LOSSES = {"cross_entropy": cross_entropy, "mse": mse, "bce": bce}


def losses_of(loss: str | Loss) -> Loss:
    """The function (z, y) -> losses of rows: one of ours by name, or the user's own as it is."""
    return LOSSES[loss] if isinstance(loss, str) else loss


SPELLINGS = {"language_modeling": "cross_entropy"}  # of next tokens, masked by the data


def loss_name(word: str) -> str:
    """The name that model.h5 keeps for `--loss`. Raises InputError on another word."""
    if word != "huber" and SPELLINGS.get(word, word) not in LOSSES:
        known = [*LOSSES, "huber", *SPELLINGS]
        raise InputError(f"--loss: unknown loss '{word}'; known: {', '.join(known)}{nearest(word, known)}")
    return SPELLINGS.get(word, word)


class Eager:
    """Products of L = sum_i w_i l(z_i, y_i) by plain autograd on the module itself, for comparison.

    Each is made from a forward pass of its own: the graphs of a large model are larger than the model.
    """

    def __init__(
        self,
        model: Model,
        loss: str | Loss,
        x: Slots,
        y: torch.Tensor,
        weights: torch.Tensor,
        forward: Callable[[], torch.Tensor] | None = None,
    ) -> None:
        """`forward` stands for the module's own forward pass, of the parameters as they are."""
        self.model, self.loss, self.x, self.y, self.weights = model, losses_of(loss), x, y, weights
        self.forward = forward or (lambda: model.called(x))
        self.parameters = list(model.variables.values())
        for p in self.parameters:
            p.requires_grad_()

    def logits(self) -> torch.Tensor:
        """z, with its graph. Raises Refusal where it is not finite."""
        z = self.forward()
        if not torch.isfinite(z).all():
            raise Refusal(
                f"{self.model.origin}: the logits hold NaN or infinity on the first samples of the data"
            )
        return z

    def risk(self, z: torch.Tensor) -> torch.Tensor:
        return (self.weights * self.loss(z, self.y)).sum()

    def on_logits(self, z: torch.Tensor, u: torch.Tensor | None = None) -> torch.Tensor:
        """r = dL/dz, or (d2L/dz2) u, at fixed logits."""
        z = z.detach().requires_grad_()
        (r,) = gradients(self.risk(z), [z], graph=u is not None)
        return r if u is None else gradients([r], [z], [u])[0]

    def gradient(self) -> list[torch.Tensor]:
        with exact(self.model.dtype):
            return gradients(self.risk(self.logits()), self.parameters)

    def jvp(self, v: list[torch.Tensor]) -> torch.Tensor:
        """J v, as the derivative of <J'w, v> with respect to w."""
        with exact(self.model.dtype):
            z = self.logits()
            w = torch.zeros_like(z, requires_grad=True)
            return gradients(gradients(z, self.parameters, w, graph=True), [w], v)[0]

    def vjp(self, w: torch.Tensor) -> list[torch.Tensor]:
        """J' w."""
        with exact(self.model.dtype):
            return gradients(self.logits(), self.parameters, w)

    def hessian(self, v: list[torch.Tensor]) -> list[torch.Tensor]:
        """H v, reverse over reverse."""
        with exact(self.model.dtype):
            g = gradients(self.risk(self.logits()), self.parameters, graph=True)
            return gradients(g, self.parameters, v)


def length(tensors: list[torch.Tensor]) -> float:
    return float(torch.stack([t.detach().double().norm() for t in tensors]).norm())
