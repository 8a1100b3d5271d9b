"""A module traced and verified in this process, without files and stages."""

from types import SimpleNamespace

import numpy as np
import torch
from dense import Reference
from exports import make_reference
from problems import relative_error
from torch import nn

from ritzflow.export.exporter import Exporter
from ritzflow.export.module import data, evaluation, inputs, modules
from ritzflow.export.module.tensors import like
from ritzflow.export.trace.eager import Eager


def samples_of(x: torch.Tensor, classes: int = 3) -> data.Samples:
    """Data of a classification with these inputs."""
    return data.Samples(x.numpy(), np.arange(len(x)) % classes, None, "classification", classes)


class Calls(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def exporter(module: nn.Module, samples: data.Samples, **options) -> Exporter:
    model = modules.Model(module.double(), "mine:module")
    evaluation.evaluation_mode(module)
    if not options.get("whole_batch"):
        evaluation.refuse_batch_statistics(module, model.origin)
    return of_model(model, samples, **options)


def of_model(model: modules.Model, samples: data.Samples, **options) -> Exporter:
    """An exporter with the flags' defaults, uncompiled, of one batch."""
    settings = {
        "loss": "cross_entropy",
        "micro_batch": len(samples.inputs),
        "compile": "none",
        "products": ["ggn", "hessian"],
        "verify": "float64",
        "class_axis": None,
        "whole_batch": False,
    } | options
    return Exporter(model, samples, SimpleNamespace(**settings))


def verified(module: nn.Module, x: torch.Tensor, **options) -> dict:
    """The check values of a module on these inputs."""
    return exporter(module, samples_of(x), **options).verified()


def errors_against_dense(made: Exporter) -> dict[str, float]:
    """Errors of the split products of a verified module along a random vector, against dense matrices."""
    found, reference, v = products_along_a_vector(made)
    return {name: relative_error(product, getattr(reference, name)() @ v) for name, product in found.items()}


def errors_against_rows(made: Exporter, count: int) -> dict[str, float]:
    """The same with random combinations of the Hessian's rows, whose number does not grow with the module."""
    found, reference, v = products_along_a_vector(made)
    combined = torch.randn(count, len(v), dtype=torch.float64)
    return {
        "ggn": relative_error(found["ggn"], reference.ggn() @ v),
        "hessian": relative_error(combined.numpy() @ found["hessian"], reference.hessian_rows(combined) @ v),
    }


def products_along_a_vector(made: Exporter) -> tuple[dict[str, np.ndarray], Reference, np.ndarray]:
    """The products by name, the dense reference, and the vector."""
    _, _, runner = made.split(torch.float64)
    x = inputs.typed(made.x, torch.float64)
    weights = made.weights / made.weights.sum()
    tensors = {"inputs": x["x"], "targets": made.y, "weights": weights}
    reference = make_reference(made.model.module, SimpleNamespace(loss="cross_entropy"), tensors)
    v = like(list(made.model.parameters.values()), 9)
    eager = Eager(made.model, "cross_entropy", x, made.y, weights)
    runner.slots |= x
    z, *_ = runner.run("primal")
    ggn = runner.run("vjp", w=eager.on_logits(z, *runner.run("jvp", v=v)))
    runner.forget()
    z, *_ = runner.run("primal")
    runner.run("hvp_primal", r=eager.on_logits(z))
    u, *_ = runner.run("hvp_jvp", v=v)
    found = {"ggn": ggn, "hessian": runner.run("hvp_vjp", s=eager.on_logits(z, u))}
    return {name: flat(product) for name, product in found.items()}, reference, flat(v)


def flat(tensors: list[torch.Tensor]) -> np.ndarray:
    return torch.cat([t.reshape(-1) for t in tensors]).numpy()
