"""`--compile auto` compiles where that pays, says so, and decides by counts alone."""

import numpy as np
import pytest
import torch
from small_export import exporter, samples_of
from torch import nn

from ritzflow.export.module import data
from ritzflow.export.package import compile_choice


@pytest.fixture
def functions():
    made = exporter(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 3)), samples_of(torch.randn(4, 3)))
    made.verified()
    return made.split(torch.float64)[1]


def test_compiling_pays_for_much_data_and_not_for_little(functions):
    few, said = compile_choice.pays(functions, batches=1)
    assert not few and said.startswith("about ")
    needed = int(said.split("after ")[1].split()[0])
    assert compile_choice.pays(functions, needed // compile_choice.PRODUCTS + 1)[0]


def test_auto_leaves_a_small_model_uncompiled_and_says_why(capsys):
    x = np.random.default_rng(0).standard_normal((4, 3)).astype("f4")
    samples = data.Samples(x, np.arange(4) % 3, None, "classification", 3)
    made = exporter(nn.Linear(3, 3), samples, compile="auto")
    made.verified()
    assert not made.compiles(made.split(torch.float64)[1])
    assert "--compile auto: none: about" in capsys.readouterr().err
