"""Small networks of random layers, shapes and batches are exported and right, or refused for a listed reason.

RITZFLOW_RANDOM_NETS networks (default 200). One in fifty holds a layer of some hundred operations: it takes
as long as ten others, and test_layers.py tries each of these layers by itself.
"""

import os
import random
import re

import pytest
import torch
from layers_of_torch import LAYERS, REFUSED, Layer, flat
from small_export import errors_against_rows, exporter, samples_of
from torch import nn

from ritzflow.common.script_cli import Refusal

COUNT = int(os.environ.get("RITZFLOW_RANDOM_NETS", "200"))
LARGE = [name for name in sorted(LAYERS) if name.startswith(("LSTM", "GRU", "RNN", "Transformer"))]
SMALL = sorted(LAYERS.keys() - set(LARGE))
ROWS = 6  # combinations of the Hessian's
DATA = {
    "normal": torch.randn,
    "zero": torch.zeros,
    "constant": torch.ones,
    "sparse": lambda *shape: torch.randn(*shape) * (torch.rand(*shape) < 0.3),
    "unit vectors": lambda n, c: torch.eye(c)[torch.randint(0, c, (n,))],
}
UNDEFINED = {  # by autograd, too: roots of zeros
    "CosineSimilarity": "hessian holds NaN or infinity",
    "LPPool": "holds NaN or infinity",
}
HEADS = ("as it is", "of zeros", "without biases")


class Stack(nn.Module):
    """One layer after another, each with a linear map in front that gives it the shape it takes."""

    def __init__(self, layers: list[Layer]):
        super().__init__()
        self.plan, width = layers, 4
        self.maps, self.layers = nn.ModuleList(), nn.ModuleList()
        for layer in layers:
            size = torch.Size(layer.shape).numel()
            self.maps.append(nn.Linear(width, size))
            self.layers.append(layer.make().eval())
            with torch.no_grad():
                width = flat(layer.call(self.layers[-1], torch.randn(2, *layer.shape))).shape[1]
        self.last = nn.Linear(width, 3)

    def forward(self, x):
        for plan, linear, layer in zip(self.plan, self.maps, self.layers):
            x = flat(plan.call(layer, linear(x).reshape(len(x), *plan.shape)))
        return self.last(x)


def set_head(net: Stack, head: str) -> None:
    for name, p in net.named_parameters():
        if (head == "of zeros" and name.startswith("last")) or (head != "as it is" and name.endswith("bias")):
            nn.init.zeros_(p)


def draw_layers(draw: random.Random) -> list[str]:
    """Names of one, two or three layers, at most one of them large."""
    names = draw.sample(SMALL, draw.choice([1, 2, 3]))
    if draw.random() < 0.02:
        names[draw.randrange(len(names))] = draw.choice(LARGE)
    return names


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_random_network_is_right_or_refused_for_a_listed_reason(seed):
    draw = random.Random(seed)
    torch.manual_seed(seed)
    names = draw_layers(draw)
    reasons = [REFUSED[name] for name in names if name in REFUSED]
    x = DATA[draw.choice(sorted(DATA))](draw.choice([1, 2, 5]), 4)
    try:
        net = Stack([LAYERS[name] for name in names])
        set_head(net, draw.choice(HEADS))
        made = exporter(net, samples_of(x), micro_batch=draw.choice([1, len(x), len(x) + 2]))
        made.verified()
    except Refusal as refusal:
        listed = reasons + [
            UNDEFINED[start] for name in names for start in UNDEFINED if name.startswith(start)
        ]
        assert any(re.search(reason, str(refusal)) for reason in listed), (names, str(refusal))
        return
    assert not reasons, names
    assert max(errors_against_rows(made, ROWS).values()) < 1e-9, names
