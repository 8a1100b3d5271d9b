"""A small network of linear layers, and its export in this process."""

import numpy as np
import small_export
import torch
from torch import nn

from ritzflow.export.module import data

RANDOM = np.random.default_rng(0)
LABELS = np.array([0, 2, 1])
SAMPLES = data.Samples(RANDOM.standard_normal((3, 4)).astype("f4"), LABELS, None, "classification", 3)


def net(*between, width=5):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), *between, nn.Linear(width, 3))


def exporter(model, samples=SAMPLES):
    return small_export.of_model(model, samples)
