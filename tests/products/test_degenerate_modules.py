"""Products that keep nothing, read nothing or are zero: right from C++, or refused with the reason.

The trace of such a module has functions without inputs or without results.
"""

import sys

import export_products
import pytest
import torch
from exports import Case, make_reference, run, write_data
from problems import build, dense

from ritzflow.common.script_cli import Refusal
from tests.models import degenerate

MLP = ("classification", (4,), 3)
CASES = {
    "OneHiddenReLU": MLP,
    "EmbeddingAndLinear": ("language_modeling", (2,), 5, "cross_entropy", True),
    "Graph": MLP,
    "Matrix": MLP,
    "Scalar": MLP,
    "Bias": MLP,
    "Unused": MLP,
    "ConstantInput": MLP,
}
FLOAT64 = ("--dtype-compute", "float64")


def export(name, folder, monkeypatch, *flags):
    """The module in `folder`, in this process; gives the module."""
    torch.manual_seed(3)
    module = getattr(degenerate, name)()
    torch.save(module.state_dict(), folder / "weights.pt")
    call = ["export_products.py", "--module", f"tests.models.degenerate:{name}", "--data", folder / "data.h5"]
    call += [
        "--weights",
        folder / "weights.pt",
        "--packages",
        folder / "packages",
        "--out",
        folder / "model.h5",
    ]
    call += ["--compile", "none", "--micro-batch", 4, *FLOAT64, *flags]
    monkeypatch.setattr(sys, "argv", list(map(str, call)))
    export_products.main()
    return module


@pytest.mark.parametrize("name", CASES)
def test_operators_equal_their_dense_matrices(name, tmp_path, monkeypatch):
    case = Case(name, *CASES[name])
    data = write_data(case, tmp_path / "data.h5")
    reference = make_reference(export(name, tmp_path, monkeypatch), case, data)
    for operator in ("hessian", "ggn"):
        expected = getattr(reference, operator)()
        found = dense(tmp_path, operator, *FLOAT64)
        assert abs(found - expected).max() <= 1e-12 * abs(expected).max(), operator


def test_factors_of_a_layer_with_a_constant_input_are_collected(tmp_path, monkeypatch):
    write_data(Case("ConstantInput", *MLP), tmp_path / "data.h5")
    export("ConstantInput", tmp_path, monkeypatch)
    files = ("--data", tmp_path / "data.h5", "--model", tmp_path / "model.h5", "--out", tmp_path / "kfac.h5")
    done = run("collect-kfac", *files, *FLOAT64)
    assert done.returncode == 0, done.stderr


def test_outputs_that_depend_on_no_parameter_are_refused(tmp_path, monkeypatch):
    write_data(Case("Nothing", *MLP), tmp_path / "data.h5")
    with pytest.raises(Refusal, match="no output depends on a parameter"):
        export("Nothing", tmp_path, monkeypatch)


def test_a_hessian_that_was_not_exported_is_named(tmp_path, monkeypatch):
    write_data(Case("OneHiddenReLU", *MLP), tmp_path / "data.h5")
    export("OneHiddenReLU", tmp_path, monkeypatch, "--products", "ggn")
    done = build(tmp_path, "hessian", *FLOAT64)
    assert done.returncode == 2 and "was exported without the function 'hvp_primal'" in done.stderr
