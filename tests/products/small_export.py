"""A module traced and verified in this process, without files and stages."""

from types import SimpleNamespace

import export_products
import numpy as np
import torch
from products import data, evaluation, modules
from torch import nn


def samples_of(inputs: torch.Tensor, classes: int = 3) -> data.Samples:
    """Data of a classification with these inputs."""
    return data.Samples(inputs.numpy(), np.arange(len(inputs)) % classes, None, "classification", classes)


def exporter(module: nn.Module, samples: data.Samples, **options) -> export_products.Exporter:
    model = modules.Model(module.double(), "mine:module")
    evaluation.evaluation_mode(module)
    if not options.get("whole_batch"):
        evaluation.refuse_batch_statistics(module, model.origin)
    settings = {
        "loss": "cross_entropy",
        "micro_batch": len(samples.inputs),
        "compile": "none",
        "products": ["ggn", "hessian"],
        "verify": "float64",
        "class_axis": None,
        "whole_batch": False,
    } | options
    return export_products.Exporter(model, samples, SimpleNamespace(**settings))


def verified(module: nn.Module, inputs: torch.Tensor, **options) -> dict:
    """The check values of a module on these inputs."""
    return exporter(module, samples_of(inputs), **options).verified()
