"""A module's weights and every source that it imports are inputs of its export, found by content."""

import os

import h5py
import pytest
import torch
from edited_sweep import Sweep

NET = """
import torch
from nets.blocks import block


def net(width):
    torch.manual_seed(0)
    return torch.nn.Sequential(block(4, width), torch.nn.Linear(width, 3)).double()
"""
BLOCK = """
import torch


def block(n, m):
    return torch.nn.Sequential(torch.nn.Linear(n, m), torch.nn.{activation}())
"""


def write_module(folder, activation):
    (folder / "nets").mkdir(exist_ok=True)
    (folder / "nets" / "__init__.py").touch()
    (folder / "mine.py").write_text(NET)
    (folder / "nets" / "blocks.py").write_text(BLOCK.format(activation=activation))


def write_weights(folder, scale):
    torch.manual_seed(1)
    shapes = {"0.0.weight": (3, 4), "0.0.bias": (3,), "1.weight": (3, 3), "1.bias": (3,)}
    torch.save(
        {name: scale * torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()},
        folder / "w0.pt",
    )


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    architecture = {"kind": "module", "module": "mine:net", "kwargs": {"width": 3}, "weights": "w{seed}.pt"}
    architecture |= {"compile": "none", "micro_batch": 10}
    model = {"data": {"source": "npz:mine.npz"}, "architecture": architecture}
    operators = {"ggn": {"dtype_compute": "float64"}}
    sweep = Sweep(
        tmp_path_factory.mktemp("module"), models={"m": model}, operators=operators, reorth_modes=["full"]
    )
    write_module(sweep.folder, "Tanh")
    write_weights(sweep.folder, 1)
    sweep.done()
    return sweep


def value(sweep):
    (cell,) = sweep.cells().to_dict("records")
    assert cell["state"] == "done"
    return cell["lambda_max"]


def test_weights_by_seed_are_taken_and_an_older_file_in_their_place_is_seen(sweep):
    old = value(sweep)
    write_weights(sweep.folder, 2)
    os.utime(sweep.folder / "w0.pt", (1e9, 1e9))
    assert "model.h5: w0.pt has other contents" in sweep.done()
    assert value(sweep) != old
    write_weights(sweep.folder, 1)
    sweep.done()
    assert value(sweep) == old


def test_a_helper_that_the_module_imports_is_an_input(sweep):
    old = value(sweep)
    write_module(sweep.folder, "Sigmoid")
    assert "model.h5: nets/blocks.py has other contents" in sweep.done()
    assert value(sweep) != old
    write_module(sweep.folder, "Tanh")
    sweep.done()
    assert value(sweep) == old


def test_a_package_is_known_by_what_was_traced(sweep):
    """A comment in a source exports again, to the same package and the same digest of the step."""
    packages = {path.name for path in (sweep.folder / "results" / ".packages").iterdir()}
    digest = step_digest(sweep)
    with (sweep.folder / "nets" / "blocks.py").open("a") as source:
        source.write("\n# a comment\n")
    assert "model.h5: nets/blocks.py has other contents" in sweep.done()
    assert {path.name for path in (sweep.folder / "results" / ".packages").iterdir()} == packages
    assert step_digest(sweep) == digest


def step_digest(sweep):
    with h5py.File(sweep.results / "cells/m/seed0/model.h5") as file:
        return file["steps/00000000"].attrs["sha256"]
