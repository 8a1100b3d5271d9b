"""Every layer of torch.nn in a small net is exported and right, or refused for the reason that the docs list.

The usual ones in an ordinary run, each of a family; all where RITZFLOW_ALL_LAYERS is set.
"""

import inspect
import os
import re

import pytest
import torch
from exports import ROOT
from layers_of_torch import LAYERS, NOT_LAYERS, REFUSED, Net
from small_export import errors_against_dense, exporter, samples_of
from torch import nn

from ritzflow.common.script_cli import Refusal

ALL = bool(os.environ.get("RITZFLOW_ALL_LAYERS"))
NAMES = list(LAYERS) if ALL else [name for name in LAYERS if name in REFUSED or LAYERS[name].usual]


def listed(name: str) -> str:
    """The name without its arguments."""
    return name.partition("(")[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_exported_and_right_or_refused_for_its_reason(name):
    torch.manual_seed(0)
    inputs = samples_of(torch.randn(3, 4))
    if name in REFUSED:
        with pytest.raises(Refusal, match=REFUSED[name]):
            exporter(Net(LAYERS[name]), inputs).verified()
        return
    made = exporter(Net(LAYERS[name]), inputs)
    made.verified()
    assert max(errors_against_dense(made).values()) < 1e-9


@pytest.mark.parametrize("name", ["PReLU", "LeakyReLU", "ELU", "Hardtanh"])
def test_a_layer_at_its_kink_has_one_slope_in_all_products(name):
    """PReLU's derivative at 0 is its weight in PyTorch, but 1 where that is differentiated again."""
    net = Net(LAYERS[name])
    torch.nn.init.zeros_(net.first.bias)
    made = exporter(net, samples_of(torch.zeros(3, 4)))
    made.verified()
    assert max(errors_against_dense(made).values()) < 1e-9


def test_every_layer_of_torch_is_tried():
    layers = {
        name for name, kind in vars(nn).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)
    }
    tried = {listed(name) for name in LAYERS}
    left = {
        name for name in layers - tried if not name.endswith(("Loss", "Base")) and not name.startswith("Lazy")
    }
    assert left == NOT_LAYERS


def test_the_documentation_lists_every_layer_that_is_refused():
    text = (ROOT / "docs" / "own-models.md").read_text()
    table = re.findall(r"^\| `([^`]+)`", text.partition("## Layers")[2].partition("\n## ")[0], flags=re.M)
    assert set(table) == set(REFUSED)
