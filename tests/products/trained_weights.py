"""A small network with its weights, read back and compared."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module import modules
from ritzflow.export.weights import weights


class Net(nn.Module):
    """Linear layers, batch norm, a buffer of its own that is not stored, and one that is."""

    def __init__(self, outputs=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh())
        self.head = nn.Linear(5, outputs)
        self.register_buffer("scale", torch.tensor(0.5))
        self.register_buffer("mask", torch.ones(5), persistent=False)

    def forward(self, x):
        return self.head(self.scale * self.mask * self.stem(x))


def trained(seed=1) -> Net:
    torch.manual_seed(seed)
    net = Net()
    net.stem[1].running_mean.uniform_(-1, 1)
    return net


def state(net=None) -> dict:
    return {name: t.clone() for name, t in (net or trained()).state_dict().items()}


def optimizer(net) -> dict:
    """The state dictionary of an optimizer after a step."""
    adam = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 4)).sum().backward()
    adam.step()
    return adam.state_dict()


def prefixed(prefix: str, tensors: dict) -> dict:
    return {prefix + name: t for name, t in tensors.items()}


def averaged(net) -> AveragedModel:
    return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))


def loaded(path, module=None, **options):
    """The module with the weights at a path, and the line that says what was read."""
    model = modules.Model(module or Net(), "mine:net")
    return model.module, weights.load_weights(model, path, **options)


def require_refused(path, *texts, module=None, **options):
    """The weights are refused, and the message has the texts."""
    with pytest.raises((InputError, Refusal)) as refusal:
        loaded(path, module, **options)
    for text in texts:
        assert text in str(refusal.value)


def require_trained(module, right=None):
    for name, value in (right or state()).items():
        assert torch.equal(module.state_dict()[name], value), name
