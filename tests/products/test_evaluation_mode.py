"""A module in training mode is taken in evaluation mode, and which layers differ is said."""

import pytest
import torch
from small_modules import exporter, net
from torch import nn

from ritzflow.export.module import evaluation, modules


class StochasticDepth(nn.Module):
    """A layer of a library's own that asks whether it is in training, in a function that forward calls."""

    def drop(self, x):
        return x * torch.rand(()) if self.training else x

    def forward(self, x):
        return self.drop(x)


MODES = {
    "dropout": (lambda: net(nn.Dropout(0.5), nn.Dropout(0.1)), "2 Dropout"),
    "batch norm": (lambda: net(nn.BatchNorm1d(5), nn.Dropout(0.5)), "1 BatchNorm1d, 1 Dropout"),
    "of a library": (lambda: net(StochasticDepth()), "1 StochasticDepth"),
    "recurrent": (lambda: nn.LSTM(4, 3, num_layers=2, dropout=0.5), "1 LSTM"),
    "attention": (lambda: nn.MultiheadAttention(4, 2, dropout=0.5), "1 MultiheadAttention"),
}
SAME = {
    "nothing": lambda: net(nn.Tanh(), nn.GroupNorm(1, 5)),
    "no dropout": lambda: net(nn.Dropout(0.0)),
    "recurrent": lambda: nn.LSTM(4, 3),
    "attention": lambda: nn.MultiheadAttention(4, 2),
    "evaluation mode": lambda: net(nn.Dropout(0.5), nn.BatchNorm1d(5)).eval(),
}


@pytest.mark.parametrize("name", MODES)
def test_a_module_in_training_mode_is_taken_in_evaluation_mode_and_said_to_be(name):
    make, layers = MODES[name]
    module = make()
    line = evaluation.evaluation_mode(module)
    assert line == f"taken in evaluation mode, where these differ from training: {layers}"
    assert not any(layer.training for layer in module.modules())


@pytest.mark.parametrize("name", SAME)
def test_a_module_in_which_nothing_differs_says_nothing(name):
    module = SAME[name]()
    assert evaluation.evaluation_mode(module) == ""
    assert not module.training


def test_a_module_in_training_mode_has_the_products_of_evaluation_mode():
    torch.manual_seed(1)
    module = net(nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Tanh())
    module[1].running_mean.uniform_(-1, 1)
    right = modules.Model(net(nn.BatchNorm1d(5), nn.Tanh()).eval(), "mine:net")
    right.module[1].running_mean.copy_(module[1].running_mean)
    evaluation.evaluation_mode(module)
    found, expected = (exporter(model).verified() for model in (modules.Model(module, "mine:net"), right))
    assert found == expected
