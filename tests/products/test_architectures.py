"""Architectures of the field: operators equal dense matrices by double backward, or a true reason is given.

The usual ones in an ordinary run; all where RITZFLOW_ALL_LAYERS is set.
"""

import os

import h5py
import pytest
from architectures import ARCHITECTURES, REFUSED, USUAL
from exports import run
from named_problems import export
from problems import build, dense, relative_error
from uses_of_layers import UsesOfLayers, require_eigenvalues

from ritzflow.common.script_cli import Refusal

ALL = bool(os.environ.get("RITZFLOW_ALL_LAYERS"))
EXACT = ("--dtype-compute", "float64")
DIFFERENTIATED = ("PINN", "interatomic potential")  # in their forward pass: weights do more than layers'


class Exported:
    """An architecture, exported, with its dense matrices."""

    def __init__(self, name, folder):
        self.name, self.folder, self.problem = name, folder, ARCHITECTURES[name]
        with pytest.MonkeyPatch.context() as patch:  # 3 + 2 samples, the last batch filled up
            export(folder, self.problem, patch, "--micro-batch", 3, *EXACT)
        module = self.problem.make().double()
        self.uses = UsesOfLayers(module)
        self.reference = self.problem.reference(module)

    def dense(self, operator, *flags):
        return dense(self.folder, operator, *flags, *EXACT)


@pytest.fixture(scope="module", params=ARCHITECTURES if ALL else USUAL)
def exported(request, tmp_path_factory):
    return Exported(request.param, tmp_path_factory.mktemp("architecture"))


def test_operators_equal_their_dense_matrices(exported):
    operators = ["hessian", "empirical_fisher"]
    if exported.name != "quantile regression":
        operators.append("ggn")
    for operator in operators:
        expected = getattr(exported.reference, operator)()
        assert relative_error(exported.dense(operator), expected) < 1e-9, operator


def test_monte_carlo_fisher_equals_its_definition_or_the_loss_is_no_likelihood(exported):
    if exported.problem.function is None:
        found = exported.dense("mc_fisher", "--mc-samples", 2, "--seed", 3)
        assert relative_error(found, exported.reference.mc_fisher(2, 3)) < 1e-9
    else:
        refused = build(exported.folder, "mc_fisher", *EXACT)
        assert refused.returncode == 3 and "targets cannot be drawn for the loss" in refused.stderr


def test_factors_of_linear_and_convolution_layers_equal_those_from_hooks(exported):
    """Where a sample has one row of outputs."""
    if len(exported.reference.z) != len(exported.problem.data["targets"]):
        pytest.skip("several terms a sample: test_terms_kfac.py")
    folder = exported.folder
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "kfac.h5")
    done = run("collect-kfac", *files, "--fisher-type", "empirical", *EXACT)
    if exported.name in DIFFERENTIATED:
        assert done.returncode == 3 and "no layer of this model has Kronecker factors" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "kfac.h5") as f:
        require_eigenvalues(f, exported.uses.factors(exported.reference.z, exported.reference))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_refused_for_its_reason(name, tmp_path, monkeypatch):
    problem, reason = REFUSED[name]
    with pytest.raises(Refusal, match=reason):
        export(tmp_path, problem, monkeypatch, *EXACT)
