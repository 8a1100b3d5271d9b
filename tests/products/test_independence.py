"""A module whose samples depend on one another is refused with the layer, or exported as one batch."""

import pytest
import torch
from small_export import Calls, verified
from torch import nn

from ritzflow.common.script_cli import Refusal


class Detached(torch.autograd.Function):
    """Couples the samples in the gradient alone."""

    @staticmethod
    def forward(ctx, h):
        return h.clone()

    @staticmethod
    def backward(ctx, g):
        return g - g.mean(0)


def in_order(h):
    return h * torch.arange(1, len(h) + 1, dtype=h.dtype)[:, None]


COUPLED = {
    "centred by the batch": lambda h: h - h.mean(0),
    "scaled by the batch": lambda h: h / (h**2).mean(),
    "attention over the batch": lambda h: torch.softmax(h @ h.T, -1) @ h,
    "similarities": lambda h: h / (1 + h.norm(dim=0)),
    "sums over earlier samples": lambda h: torch.cumsum(h, 0),
    "the place in the batch": in_order,
    "the size of the batch": lambda h: h * len(h),
}


def network(function):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), Calls(function), nn.Linear(6, 3))


@pytest.mark.parametrize("name", COUPLED)
def test_samples_that_depend_on_one_another_are_refused_with_the_layer(name):
    reason = r"depends on the other samples of its batch: .* after layer '2' \(Calls\); --whole-batch"
    if "size" in name:
        reason = "value changes by .* in a batch of 4"
    with pytest.raises(Refusal, match=reason):
        verified(network(COUPLED[name]), torch.randn(7, 4))


def test_coupling_behind_a_head_of_zeros_is_seen():
    module = network(COUPLED["centred by the batch"])
    nn.init.zeros_(module[-1].weight)
    with pytest.raises(Refusal, match="depends on the other samples"):
        verified(module, torch.randn(7, 4))


def test_batch_statistics_are_refused_by_their_layer_and_accepted_as_one_batch():
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 3))
    with pytest.raises(Refusal, match=r"layer '1' .* --whole-batch"):
        verified(module, torch.randn(7, 4))
    verified(module, torch.randn(7, 4), whole_batch=True)


@pytest.mark.parametrize("layer", [nn.LayerNorm(6), nn.Softmax(-1), nn.BatchNorm1d(6)], ids=str)
def test_samples_of_their_own_are_accepted(layer):
    for inputs in (torch.randn(7, 4), torch.zeros(2, 4), torch.randn(1, 4)):
        verified(network(layer), inputs)


def test_a_module_of_one_size_of_batch_is_accepted():
    verified(network(lambda h: h.reshape(7, 6)), torch.randn(7, 4))
