"""Architectures of the field, small, with their data: modules of tests/models as people write them."""

import numpy as np
import torch
from named_problems import EDGES, Problem

from tests.models import regressions

SAMPLES = 5
random = np.random.default_rng(8)


def normal(*shape):
    return random.standard_normal((SAMPLES, *shape)).astype("f4")


def classes(*shape, count=3):
    return random.integers(0, count, (SAMPLES, *shape))


def images(module: str, size: int = 8, **options) -> Problem:
    """One label an image [1, size, size]."""
    data = {"inputs": normal(1, size, size), "targets": classes()}
    return Problem(module, "classification", data, {"num_classes": 3}, **options)


def padded_tokens(module: str) -> Problem:
    """One label a sequence of at most five tokens, 0 after its end."""
    tokens = random.integers(1, 7, (SAMPLES, 5))
    tokens[np.arange(5) >= np.array([[5], [2], [4], [1], [3]])] = 0
    return Problem(module, "classification", {"inputs": tokens, "targets": classes()}, {"num_classes": 3})


def pixels(module: str) -> Problem:
    def rows(z):
        return z.permute(0, 2, 3, 1).reshape(-1, 3)

    data = {"inputs": normal(1, 6, 6), "targets": classes(6, 6)}
    return Problem(module, "classification", data, {"num_classes": 3}, rows=staticmethod(rows))


def regression(module: str, inputs: tuple, targets: tuple | None = None, **options) -> Problem:
    """Values; the inputs themselves where no shape of targets is given."""
    x = normal(*inputs)
    data = {"inputs": x, "targets": x if targets is None else normal(*targets)}
    return Problem(module, "regression", data, {}, **options)


def evidence(z, y):
    return regressions.evidence(z.split([4, 2, 2], 1), y)


def energy_and_forces(z, y):
    return regressions.energy_and_forces({"energy": z[:, :1], "forces": z[:, 1:]}, y)


ARCHITECTURES = {
    "ResNet with basic blocks": images("residual_nets:basic_resnet"),
    "ResNet with bottlenecks": images("residual_nets:bottleneck_resnet"),
    "VGG": images("residual_nets:Vgg"),
    "DenseNet with checkpoints": images("residual_nets:DenseNet", 4),
    "MobileNetV3": images("efficient_nets:mobilenet"),
    "EfficientNet": images("efficient_nets:efficientnet"),
    "ShuffleNet": images("efficient_nets:ShuffleNet"),
    "ConvNeXt": images("efficient_nets:ConvNeXt"),
    "Inception": images("branches:Inception", 4),
    "GoogLeNet of two outputs": images("branches:Googlenet", 4, rows=staticmethod(lambda z: z.logits)),
    "ViT": images("attention:VisionTransformer", 4),
    "MLP-Mixer": images("attention:Mixer", 4),
    "layers over pixels": images("attention:Pixels", 3),
    "text encoder": padded_tokens("attention:TextEncoder"),
    "translator": Problem(
        "attention:Translator",
        "classification",
        {
            "inputs/source": (1 + classes(4, count=6)) * (np.arange(4) < [[4], [2], [3], [1], [4]]),
            "inputs/target": classes(3, count=7),
            "targets": classes(3, count=7),
        },
        {"num_classes": 7},
    ),
    "LSTM": padded_tokens("sequences:Classifier"),
    "bidirectional GRU": padded_tokens("sequences:Bidirectional"),
    "LSTM cells": Problem(
        "sequences:Cells",
        "language_modeling",
        {"inputs": classes(4, count=7), "targets": classes(4, count=7)},
        {"num_classes": 7},
    ),
    "U-Net": pixels("branches:UNet"),
    "U-Net with interpolation": pixels("branches:bilinear_unet"),
    "DeepSets": Problem(
        "sets:DeepSets",
        "classification",
        {"inputs": normal(4, 2), "targets": classes()},
        {"num_classes": 3},
    ),
    "PointNet": Problem(
        "sets:PointNet", "classification", {"inputs": normal(6, 2), "targets": classes()}, {"num_classes": 3}
    ),
    "graph attention": Problem(
        "sets:GraphAttention",
        "classification",
        {
            "inputs/nodes": np.array([3, 0, 6, 2, 5]),
            "shared/x": random.standard_normal((7, 3)).astype("f4"),
            "shared/edge_index": np.concatenate([EDGES, np.arange(7) * np.ones((2, 1), int)], 1),
            "targets": classes(),
        },
        {"num_classes": 3},
    ),
    "autoencoder": regression(
        "regressions:Autoencoder", (1, 4, 4), rows=staticmethod(lambda z: z.flatten(1))
    ),
    "variational autoencoder": regression(
        "regressions:Variational",
        (4,),
        rows=staticmethod(lambda outputs: torch.cat(outputs, 1)),
        function=evidence,
        flags=("--loss", "tests.models.regressions:evidence"),
    ),
    "quantile regression": regression(
        "regressions:Quantiles",
        (4,),
        (1,),
        function=regressions.pinball,
        flags=("--loss", "tests.models.regressions:pinball"),
    ),
    "PINN": regression("regressions:PhysicsInformed", (2,), (1,)),
    "interatomic potential": regression(
        "regressions:Potential",
        (3,),
        (4,),
        rows=staticmethod(lambda outputs: torch.cat(list(outputs.values()), 1)),
        function=energy_and_forces,
        flags=("--loss", "tests.models.regressions:energy_and_forces"),
    ),
}

# Of an ordinary run.
USUAL = (
    "ResNet with basic blocks",
    "layers over pixels",
    "text encoder",
    "variational autoencoder",
    "PINN",
)

REFUSED = {
    "packed sequences": (padded_tokens("sequences:packed_lstm"), "pack_padded_sequence"),
    "a random code": (
        regression("regressions:random_code", (4,), flags=("--loss", "tests.models.regressions:evidence")),
        "draws random numbers",
    ),
}
