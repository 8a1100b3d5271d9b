"""The line that an export says of a module: loss and accuracy on the data."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_modules import RANDOM, net
from torch import nn

from ritzflow.export import summary
from ritzflow.export.module import data, modules


def test_the_summary_is_the_weighted_mean_loss_and_the_part_of_right_answers():
    inputs, labels = RANDOM.standard_normal((7, 4)).astype("f4"), np.array([0, 2, 1, -100, 2, 2, 0])
    weights = RANDOM.uniform(0.5, 2, 7)
    samples = data.Samples(inputs, labels, None, "classification", 3, weights=weights)
    model = modules.Model(net(nn.Tanh()), "mine:net")
    z, y = model.module(torch.from_numpy(inputs)).detach().double(), torch.from_numpy(labels)
    w = torch.from_numpy(weights) * (y != -100)
    loss = (F.cross_entropy(z, y, reduction="none") * w).sum() / w.sum()
    accuracy = (z.argmax(1) == y).sum() / 6
    text = f"on 7 samples: loss {loss:.4g}, accuracy {accuracy:.4g}"
    assert summary.summary(model, samples, "cross_entropy", batch=3) == text


@pytest.mark.parametrize(("last", "loss"), [(nn.Softmax(1), "cross_entropy"), (nn.Sigmoid(), "bce")])
def test_the_summary_says_where_probabilities_are_taken_for_logits(last, loss):
    x, y = torch.randn(7, 4), np.arange(7) % 3 if loss == "cross_entropy" else np.eye(3)[np.arange(7) % 3]
    samples = data.Samples(x.numpy(), y, None, "classification", 3)
    for layers, said in (((nn.Linear(4, 3), last), True), ((nn.Linear(4, 3),), False)):
        model = modules.Model(nn.Sequential(*layers), "mine:net")
        assert (
            f"probabilities, which {loss} takes for logits" in summary.summary(model, samples, loss, 7)
        ) == said


def test_the_summary_of_a_regression_has_its_loss_alone():
    inputs, targets = (RANDOM.standard_normal((7, n)).astype("f4") for n in (4, 3))
    model = modules.Model(net(nn.Tanh()).double(), "mine:net")
    z = model.module(torch.from_numpy(inputs).double()).detach()
    loss = 0.5 * ((z - torch.from_numpy(targets)) ** 2).sum(1).mean()
    samples = data.Samples(inputs, targets, None, "regression", 3)
    assert summary.summary(model, samples, "mse", batch=7) == f"on 7 samples: loss {loss:.4g}"


def test_the_summary_of_several_labels_counts_each(monkeypatch):
    inputs, labels = RANDOM.standard_normal((4, 4)).astype("f4"), RANDOM.integers(0, 2, (4, 3)).astype("f8")
    model = modules.Model(net(nn.Tanh()).double(), "mine:net")
    z, y = model.module(torch.from_numpy(inputs).double()).detach(), torch.from_numpy(labels)
    loss = F.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1).mean()
    accuracy = ((z > 0) == (y > 0)).double().mean()
    samples = data.Samples(inputs, labels, None, "classification", 3)
    text = f"on 4 samples: loss {loss:.4g}, accuracy {accuracy:.4g}"
    assert summary.summary(model, samples, "bce", batch=3) == text
    monkeypatch.setattr(summary.time, "monotonic", iter([0, 0, 61]).__next__)
    assert summary.summary(model, samples, "bce", batch=3).startswith("on the first 3 of 4 samples: loss ")
