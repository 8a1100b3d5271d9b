"""A loss of the user's own, `--loss package.module:name`: a function of a batch's outputs and targets.

    function(outputs, targets) -> losses of the samples [N], or of their terms [N, T] (tokens, pixels)

`outputs` are what the module returns (its `logits` where it has such), `targets` as they lie in data.h5.
Inside the products outputs are rows z [rows, C], one for each term of the loss: a sample's outputs side by
side where it has one loss, else one row for each token or pixel.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.losses.loss_functions import Composed
from ritzflow.export.module.objects import found_object
from ritzflow.export.module.outputs import TENSOR, RowLayout, as_tree, described, is_output, logits_in
from ritzflow.export.module.places import Places
from ritzflow.export.module.precision import exact
from ritzflow.export.trace.functional_graph import reason

NARROW = "; a tensor of the loss is float32: write tensor.to(outputs.dtype), or make it a buffer"


class CustomLoss:
    """The function, and how the outputs of the module that it was fitted to lie in rows."""

    def __init__(
        self, origin: str, function: Callable[..., Any], convex: bool, target_shape: Sequence[int]
    ) -> None:
        self.origin, self.function, self.convex = origin, function, convex
        self.target_shape = tuple(target_shape)
        self.layout = RowLayout([])  # until it is fitted

    def to(self, dtype: torch.dtype) -> "CustomLoss":
        if isinstance(self.function, torch.nn.Module):
            self.function.to(dtype)
        return self

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The losses of rows, twice differentiable; y: targets of the same samples."""
        with Composed():
            return self.as_it_stands(z, y)

    def as_it_stands(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The losses of rows by the user's own operations."""
        y = y.reshape(len(z) // self.layout.terms, *self.target_shape)
        return self.losses(self.layout.outputs(z), y).reshape(-1)

    def row_weights(self, weights: torch.Tensor, samples: int) -> torch.Tensor:
        """Weights of rows z, from those of the terms that the data have."""
        weights = weights.reshape(samples, -1)
        if weights.shape[1] == self.layout.terms:
            return weights.reshape(-1)
        if not (weights == weights[:, :1]).all():
            raise Refusal(
                f"--loss: {self.origin}: gives one number a sample, but the data mask single tokens (mask, "
                "or targets of -100): let it return the losses of tokens [N, T]"
            )
        return weights[:, 0].repeat_interleave(self.layout.terms)

    def row_targets(self, y: torch.Tensor) -> torch.Tensor:
        """Targets with the rows of z in their first axis."""
        y = y.reshape(-1, *self.target_shape)
        return y.reshape(len(y) * self.layout.terms, -1)

    def hook_into(self, module: torch.nn.Module) -> None:
        """Lets the module return rows."""
        module.register_forward_hook(lambda _module, _inputs, output: self.layout.rows(output))

    def losses(self, outputs: Any, y: torch.Tensor) -> torch.Tensor:
        """What the function returns. Raises Refusal where it fails."""
        dtype = outputs.dtype if isinstance(outputs, torch.Tensor) else tree_flatten(outputs)[0][0].dtype
        try:
            with exact(dtype):
                return self.function(outputs, y)
        except Refusal as refusal:
            raise Refusal(f"--loss: {self.origin}: {refusal}") from None
        except Exception as error:  # whatever the user's code raises
            raise Refusal(f"--loss: {self.origin}: {failure(error, outputs, y)}") from None

    def fit(self, output: Any, y: torch.Tensor) -> None:
        """Chooses the layout for what a module returned for the samples of `y`. Raises Refusal."""
        y = y.reshape(-1, *self.target_shape)
        samples = len(y)
        tensor = logits_in(output)
        if tensor is not None:
            layout = RowLayout([tuple(tensor.shape[1:])])
            outputs = tensor
        else:
            as_tree(type(output))
            leaves, tree = tree_flatten(output)
            tensors = [leaf for leaf in leaves if is_output(leaf)]
            if not tensors:
                raise Refusal(
                    f"--loss: the module returns {type(output).__name__}, in which no real tensor is found; "
                    "let it return a tensor, or a tuple, list, dict or dataclass of such"
                )
            others = [TENSOR if is_output(leaf) else leaf for leaf in leaves]
            layout = RowLayout([tuple(t.shape[1:]) for t in tensors], tree, others)
            outputs = output
        for t in layout.tensors(output):
            if len(t) != samples:
                raise Refusal(
                    f"--loss: an output has shape {list(t.shape)}, expected [{samples}, ...], a sample a row"
                )
        losses = self.losses(outputs, y)
        self.layout = self.with_terms(layout, losses, outputs, y)

    def with_terms(self, layout: RowLayout, losses: Any, outputs: Any, y: torch.Tensor) -> RowLayout:
        """The layout in which every loss is a function of one row."""
        samples, place = len(y), f"--loss: {self.origin}: given {described(outputs, y)}, it returns"
        if not isinstance(losses, torch.Tensor):
            raise Refusal(f"{place} {type(losses).__name__}, expected the losses of the samples [N]")
        if losses.dim() == 0:
            raise Refusal(
                f"{place} one number for the whole batch; expected one for each of the {samples} samples: "
                "leave the mean or sum out (reduction='none' in PyTorch's losses)"
            )
        if losses.numel() == samples and len(losses) == samples:
            return layout
        if layout.tree is None and outputs.dim() >= 3:
            for channels in (outputs.dim() - 1, 1):
                shape = list(outputs.shape[1:])
                del shape[channels - 1]
                terms = torch.Size(shape).numel()
                found = RowLayout(layout.shapes, terms=terms, channels=channels)
                if list(losses.shape) in ([samples, *shape], [samples * terms]) and couples(
                    self, found, outputs, y
                ):
                    return found
        hint = ""
        if layout.tree is None and losses.shape == outputs.shape:
            hint = "; sum over the outputs of a sample, or take their mean as PyTorch's reduction does"
        raise Refusal(
            f"{place} losses of shape {list(losses.shape)}, expected [{samples}], one a sample{hint}"
        )


def couples(loss: CustomLoss, layout: RowLayout, outputs: Any, y: torch.Tensor) -> bool:
    """Whether every loss is a function of one row in this layout."""
    old, loss.layout = loss.layout, layout
    try:
        z = layout.rows(outputs).detach()
        return not coupled_rows(loss, z, y)
    finally:
        loss.layout = old


def coupled_rows(loss: CustomLoss, z: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether the loss of a row changes with the outputs of another."""
    z = z.detach().requires_grad_()
    losses = loss(z, y)
    torch.manual_seed(0)
    c = torch.randn_like(losses)

    def gradient(cotangent: torch.Tensor) -> torch.Tensor | None:
        return torch.autograd.grad(losses, z, cotangent, retain_graph=True, allow_unused=True)[0]

    whole, mixed = gradient(torch.ones_like(losses)), gradient(c)
    if whole is None or mixed is None:
        return False
    gap = (mixed - c.unsqueeze(1) * whole).abs().max()
    return bool(gap > 1e-4 * mixed.abs().max())


def failure(error: Exception, outputs: Any, y: torch.Tensor) -> str:
    """Why the function failed: where it can be told, as a trace would say it."""
    why = reason(error, Places())
    if not why.startswith("the module"):
        return why
    line = " ".join(str(error).split())[:200] or type(error).__name__
    hint = ""
    if ("Double" in line and "Float" in line) or "dtype" in line:
        hint = NARROW
    return f"fails on {described(outputs, y)}: {line}{hint}"


def load(place: str, convex: bool, target_shape: Sequence[int]) -> CustomLoss:
    """The function, the callable object, or what a factory without arguments returns. Raises InputError."""
    found = found_object(place, "--loss")
    if inspect.isclass(found) or not takes(found, 2):
        try:
            found = found()
        except TypeError:
            raise InputError(
                f"--loss: {place} is neither a function of (outputs, targets), nor an object that can be "
                "called so, nor a function without arguments that makes one"
            ) from None
    if not takes(found, 2):
        raise InputError(f"--loss: what {place} makes cannot be called with (outputs, targets)")
    if isinstance(found, torch.nn.Module) and any(True for _ in found.parameters()):
        print(
            f"{place}: parameters of the loss are held fixed; curvature is taken over the module's",
            file=sys.stderr,
        )
    return CustomLoss(place, found, convex, target_shape)


def takes(function: Callable[..., Any], count: int) -> bool:
    """Can it be called with `count` positional arguments?"""
    if not callable(function):
        return False
    try:
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError):
        return count == 2
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
