"""Losses by name with options of PyTorch's, as functions of a module's outputs and targets (losses.py).

cross_entropy   label_smoothing, class_weights, and targets that are probabilities of the classes
huber           delta
reduction mean  over the outputs of a sample, as `reduction="mean"` of PyTorch has it, where ours is a sum; of
                class weights, division by those of the labels
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ritzflow.common.script_cli import InputError
from ritzflow.export.losses.losses import CustomLoss
from ritzflow.export.module.data import Samples

OPTIONS = {
    "cross_entropy": ("label_smoothing", "class_weights", "reduction"),
    "mse": ("reduction",),
    "bce": ("reduction",),
    "huber": ("delta", "reduction"),
}
ALL = ("class_weights", "delta", "label_smoothing", "reduction")


def declare(parser: ArgumentParser) -> None:
    parser.add_argument("--label-smoothing", type=float, help="of cross_entropy, as PyTorch's")
    parser.add_argument("--class-weights", type=float, nargs="+", help="of cross_entropy, one a class")
    parser.add_argument("--delta", type=float, help="of huber: where it becomes linear (default: 1)")
    parser.add_argument(
        "--reduction",
        choices=["sum", "mean"],
        help="over the outputs of a sample; mean: as PyTorch's MSELoss and BCEWithLogitsLoss (default: sum)",
    )


def chosen(
    name: str, options: Namespace, samples: Samples, target_shape: tuple[Any, ...]
) -> CustomLoss | None:
    """The loss with its options; None where there is nothing to it that the named one has not. Raises
    InputError where an option says nothing of this loss."""
    given = {option: getattr(options, option) for option in ALL}
    given = {option: value for option, value in given.items() if value is not None}
    for option in given:
        if option not in OPTIONS[name]:
            homes = ", ".join(loss for loss, known in OPTIONS.items() if option in known)
            raise InputError(f"--{option.replace('_', '-')} is an option of {homes}, not of {name}")
    if given.get("reduction") == "sum":
        del given["reduction"]
    require_sensible(given, samples)
    soft = name == "cross_entropy" and samples.real_targets
    if not given and not soft and name != "huber":
        return None
    said = "".join(f" {option}={text(value)}" for option, value in given.items())
    function = {"cross_entropy": cross_entropy, "mse": mse, "bce": bce, "huber": huber}[name](given, samples)
    return CustomLoss(f"{name}{said}", function, True, target_shape)


def text(value: object) -> str:
    return ",".join(f"{v:g}" for v in value) if isinstance(value, list) else f"{value}"


def refuse_options(options: Namespace, what: str) -> None:
    """Raises InputError where an option is given beside a loss that has none."""
    for option in ALL:
        if getattr(options, option) is not None:
            raise InputError(f"--{option.replace('_', '-')} is an option of our losses, not of {what}")


def require_sensible(given: dict[str, Any], samples: Samples) -> None:
    smoothing, weights, delta = (given.get(o) for o in ("label_smoothing", "class_weights", "delta"))
    if smoothing is not None and not 0 <= smoothing < 1:
        raise InputError(f"--label-smoothing: {smoothing:g} is outside [0, 1)")
    if weights is not None and (len(weights) != samples.outputs or min(weights) < 0):
        raise InputError(f"--class-weights: expected {samples.outputs} numbers >= 0, one a class")
    if delta is not None and not delta > 0:
        raise InputError(f"--delta: {delta:g} is not above 0")


def cross_entropy(given: dict[str, Any], samples: Samples) -> Callable[..., Any]:
    weights = given.get("class_weights")
    smoothing, scale = given.get("label_smoothing", 0.0), 1.0
    if weights is not None and given.get("reduction") == "mean":
        scale = mean_weight(torch.tensor(weights, dtype=torch.float64), samples)

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if targets.is_floating_point():
            targets = targets.to(outputs.dtype)
        elif outputs.shape[:-1] == targets.shape:
            outputs = outputs.movedim(-1, 1)
        of_classes = None if weights is None else torch.tensor(weights, dtype=outputs.dtype)
        losses = F.cross_entropy(outputs, targets, of_classes, label_smoothing=smoothing, reduction="none")
        return losses / scale

    return loss


def mean_weight(of_classes: torch.Tensor, samples: Samples) -> float:
    """The weighted mean of the labels' class weights, by which PyTorch's mean divides."""
    _, y, w = samples.batch(len(samples.targets))
    each = y @ of_classes if y.is_floating_point() else of_classes[y.reshape(-1)]
    return float(w @ each / w.sum())


def elementwise(function: Callable[..., Any], given: dict[str, Any]) -> Callable[..., Any]:
    reduce = torch.mean if given.get("reduction") == "mean" else torch.sum

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not targets.is_floating_point() and targets.numel() < outputs.numel():
            targets = F.one_hot(targets, outputs.shape[1])
        targets = targets.to(outputs.dtype).reshape(outputs.shape)
        return reduce(function(outputs, targets).flatten(1), 1)

    return loss


def mse(given: dict[str, Any], samples: Samples) -> Callable[..., Any]:
    return elementwise(lambda z, y: (z - y).square(), given)


def bce(given: dict[str, Any], samples: Samples) -> Callable[..., Any]:
    return elementwise(lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"), given)


def huber(given: dict[str, Any], samples: Samples) -> Callable[..., Any]:
    delta = given.get("delta", 1.0)
    return elementwise(lambda z, y: F.huber_loss(z, y, reduction="none", delta=delta), given)
