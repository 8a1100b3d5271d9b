"""Kronecker factors of a user's layers equal those from plain PyTorch hooks; what has none is named."""

import h5py
import pytest
import torch
from exports import ARGUMENTS, own_models, run
from uses_of_layers import UsesOfLayers, require_eigenvalues

WITHOUT = {
    "mlp": [],
    "labels": [],
    "cnn": [],
    "residual": [],
    "transformer": ["positions"],
}


@pytest.fixture(scope="module")
def factors(exported):
    files = (
        "--data",
        exported.file("data.h5"),
        "--model",
        exported.file(),
        "--out",
        exported.file("kfac.h5"),
    )
    done = run("collect-kfac", *files, "--fisher-type", "empirical", "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    return exported


@pytest.mark.parametrize("exported", WITHOUT, indirect=True)
def test_parameters_without_factors_are_those_of_no_layer(factors):
    with h5py.File(factors.file("kfac.h5")) as f:
        assert sorted(f.attrs["missing"]) == sorted(WITHOUT[factors.case.name])


def moments(exported):
    """A and G of every linear and convolution layer, by name."""
    module = getattr(own_models, exported.case.name)(**ARGUMENTS.get(exported.case.name, {}))
    module.load_state_dict(torch.load(exported.file("weights.pt")))
    uses = UsesOfLayers(module.double())
    reference = exported.reference
    return uses.factors(module(reference_inputs(exported)), reference)


def reference_inputs(exported):
    with h5py.File(exported.file("data.h5")) as f:
        return torch.from_numpy(f["inputs"][...]).double()


@pytest.mark.parametrize("exported", ["cnn"], indirect=True)
def test_factors_of_convolutions_and_linear_layers_equal_those_from_hooks(factors):
    with h5py.File(factors.file("kfac.h5")) as f:
        require_eigenvalues(f, moments(factors))
