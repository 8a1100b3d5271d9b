"""Losses of PyTorch that look at values or have no second derivative, made of operations that have one."""

import math
from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ritzflow.common.script_cli import Refusal


def reduced(losses: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def gaussian_nll_loss(
    input: torch.Tensor,
    target: torch.Tensor,
    var: torch.Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> torch.Tensor:
    """Without the question whether a variance is negative, which a trace cannot ask."""
    if not isinstance(var, torch.Tensor):
        var = torch.full_like(input, var)
    if var.shape != input.shape and input.shape[:-1] == var.shape:
        var = var.unsqueeze(-1)
    var = var + (var.clamp(min=eps) - var).detach()  # as PyTorch: the gradient passes the bound by
    losses = 0.5 * (torch.log(var) + (input - target) ** 2 / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def multi_margin_loss(
    input: torch.Tensor,
    target: torch.Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: torch.Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> torch.Tensor:
    """sum_{c != y} max(0, margin - z_y + z_c)^p / C."""
    right = input.gather(1, target.unsqueeze(1))
    gaps = (margin - right + input).clamp(min=0) ** p
    if weight is not None:
        gaps = gaps * weight[target].unsqueeze(1)
    others = 1 - F.one_hot(target, input.shape[1]).to(input.dtype)
    return reduced((gaps * others).sum(1) / input.shape[1], reduction)


def multilabel_margin_loss(
    input: torch.Tensor,
    target: torch.Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> torch.Tensor:
    """sum over labels y and other classes c of max(0, 1 - z_y + z_c) / C; labels end at the first -1."""
    listed = (target >= 0).cumprod(1).to(input.dtype)
    labels = target.clamp(min=0)
    is_label = torch.zeros_like(input).scatter_add(1, labels, listed).clamp(max=1)
    gaps = (1 - input.gather(1, labels).unsqueeze(2) + input.unsqueeze(1)).clamp(min=0)
    gaps = gaps * listed.unsqueeze(2) * (1 - is_label).unsqueeze(1)
    return reduced(gaps.sum((1, 2)) / input.shape[1], reduction)


def ctc_loss(*_arguments: object, **_options: object) -> NoReturn:
    raise Refusal(
        "PyTorch's ctc_loss cannot be differentiated twice; its forward recursion written with logsumexp can"
    )


COMPOSED: dict[Any, Callable[..., Any]] = {
    F.ctc_loss: ctc_loss,
    torch.ctc_loss: ctc_loss,
    F.gaussian_nll_loss: gaussian_nll_loss,
    F.multi_margin_loss: multi_margin_loss,
    F.multilabel_margin_loss: multilabel_margin_loss,
}


class Composed(TorchFunctionMode):
    """Calls of these losses are carried out by their composed versions."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return COMPOSED.get(function, function)(*args, **(kwargs or {}))
