"""Does the output of a sample depend on the other samples of its batch?

A loss that is a sum over samples is taken in micro-batches, the last one filled up. Where samples depend on
one another (statistics of the batch, contrastive losses) every cut is another function: such a module is
exported for the whole data set as one batch, or not at all.
"""

from typing import Any

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.inputs import Slots, first, is_shared, samples_in
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import exact
from ritzflow.export.module.tensors import like
from ritzflow.export.trace.soundness import moved

SAMPLES = 8  # compared in detail


def require_independent(model: Model, x: Slots, tolerance: float) -> None:
    """Raises Refusal where the output of a sample, or its gradient, changes with the others."""
    count = samples_in(x)
    if count == 1:
        return
    few = first(x, model.samples_taken(x, SAMPLES))
    with moved(model, few), exact(model.dtype):
        change = coupling(model, x, few, tolerance)
        layer = first_layer(model, few, tolerance) if change else ""
    if change:
        raise Refusal(
            f"{model.origin}: the output of a sample depends on the other samples of its batch: its {change}"
            f"{layer}; --whole-batch takes all samples as one batch"
        )


def coupling(model: Model, x: Slots, few: Slots, tolerance: float) -> str:
    """What changes with the other samples, and by how much; empty where nothing does."""
    count = samples_in(few)
    half, order = (count + 1) // 2, torch.arange(count).flip(0)
    z, gradient = outputs(model, few, half)
    replaced, of_replaced = outputs(model, others_replaced(few, half), half)
    changes = {
        "value changes by {:.1e} when they are replaced": (z[:half], replaced[:half]),
        "gradient changes by {:.1e} when they are replaced": (gradient, of_replaced),
        "value changes by {:.1e} with their order": (z[order], values(model, rows(few, order))),
    }
    for size in {model.samples_taken(x, half), samples_in(x)} - {count}:
        other = values(model, first(x, size))[:count]
        changes[f"value changes by {{:.1e}} in a batch of {size}"] = (z[: len(other)], other)
    for what, (a, b) in changes.items():
        error = float((a - b).norm() / a.norm().clamp(min=1e-300))
        if not error <= tolerance and not torch.equal(a, b):
            return what.format(error)
    return ""


def outputs(model: Model, x: Slots, half: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N, ...], and the gradient of a fixed combination of those of the first half."""
    z = model.called(x).reshape(samples_in(x), -1)
    w = like([z[:half].detach()], 0)[0]
    gradient = gradients(z[:half], list(model.variables.values()), w)
    return z.detach(), torch.cat([g.reshape(-1) for g in gradient])


def values(model: Model, x: Slots) -> torch.Tensor:
    """Logits [N, ...]."""
    return model.values(x).reshape(samples_in(x), -1)


def rows(x: Slots, order: torch.Tensor) -> Slots:
    return {name: value if is_shared(name) else value[order] for name, value in x.items()}


def others_replaced(x: Slots, half: int) -> Slots:
    """The samples after the first half become the first one: values that the module can surely take."""
    return rows(x, torch.cat([torch.arange(half), torch.zeros(samples_in(x) - half, dtype=torch.long)]))


def first_layer(model: Model, x: Slots, tolerance: float) -> str:
    """`, first after layer 'norm' (BatchNorm1d)`: whose output of a sample changes with the others."""
    count = samples_in(x)
    half, order = torch.arange((count + 1) // 2), torch.arange(count).flip(0)
    plain = layer_outputs(model, x)
    replaced, reordered = others_replaced(x, len(half)), rows(x, order)
    for other, before, after in ((replaced, half, half), (reordered, order, order.sort().values)):
        for (name, a), (_, b) in zip(plain, layer_outputs(model, other)):
            of_samples = len(a) == len(b) == count
            if of_samples and (a[before] - b[after]).norm() > tolerance * a[before].norm():
                return f", first after {name}"
    return ""


def layer_outputs(model: Model, x: Slots) -> list[tuple[str, torch.Tensor]]:
    """What each layer gives, in the order in which they end."""
    found, handles = [], []
    for name, layer in model.module.named_modules():
        place = f"layer '{name}' ({type(layer).__name__})" if name else "the module's own operations"

        def note(layer: torch.nn.Module, inputs: Any, output: Any, place: str = place) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point() and output.dim():
                found.append((place, output.detach()))

        handles.append(layer.register_forward_hook(note))
    try:
        values(model, x)
    finally:
        for handle in handles:
            handle.remove()
    return found
