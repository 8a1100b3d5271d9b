"""Losses of the user's own: operators equal dense matrices by double backward."""

from dataclasses import dataclass

import h5py
import own_loss_exports
import pytest
import torch
import torch.nn.functional as F
from exports import own_models, run
from own_loss_exports import exported
from problems import build, dense, relative_error

from ritzflow.export.losses.losses import CustomLoss

LOSSES = {
    "class_weights": ("classification", "--loss-is-convex"),
    "smoothed": ("classification", "--loss-is-convex"),
    "ordinal": ("classification", "--loss-is-convex"),
    "multi_margin": ("classification", "--loss-is-convex"),
    "focal": ("classification",),
    "soft_targets": ("regression", "--loss-is-convex"),
    "huber_loss": ("regression", "--loss-is-convex"),
    "robust": ("regression",),
    "poisson": ("regression", "--loss-is-convex"),
    "gaussian": ("regression",),
    "two_outputs": ("regression",),
    "tokens": ("language_modeling",),
    "sentences": ("language_modeling",),
}


@pytest.mark.parametrize("name", LOSSES)
def test_operators_of_a_loss_equal_their_dense_matrices(name, tmp_path, monkeypatch):
    task, *flags = LOSSES[name]
    made = exported(tmp_path, monkeypatch, name, task, *flags)
    for operator, expected in made.reference().items():
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, expected.numpy()) < 1e-9, operator
    with h5py.File(tmp_path / "operator.h5") as f:
        assert f.attrs["loss"] == f"tests.models.own_losses:{name}"


@pytest.mark.parametrize("name", ["absolute", "quantiles"])
def test_a_loss_in_linear_pieces_has_a_hessian_and_no_gauss_newton_matrix(name, tmp_path, monkeypatch):
    made = exported(tmp_path, monkeypatch, name, "regression")
    reference = made.reference()
    for operator in ("hessian", "empirical_fisher"):
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, reference[operator].numpy()) < 1e-9, operator
    refused = build(tmp_path, "ggn", "--dtype-compute", "float64")
    assert refused.returncode == 3
    assert "is zero wherever it exists, and the Gauss-Newton matrix with it" in refused.stderr


def semidefinite(folder, operator) -> bool:
    done = build(folder, operator, "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "operator.h5") as f:
        return bool(f.attrs["is_psd"])


def test_a_gauss_newton_matrix_is_semidefinite_where_the_loss_is_convex(tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, "focal")
    assert not semidefinite(tmp_path, "ggn")
    assert semidefinite(tmp_path, "empirical_fisher")
    exported(tmp_path, monkeypatch, "smoothed", "classification", "--loss-is-convex")
    assert semidefinite(tmp_path, "ggn")


def test_a_monte_carlo_fisher_matrix_needs_a_likelihood(tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, "smoothed", "classification", products=("ggn", "kfac"))
    refused = build(tmp_path, "mc_fisher", "--dtype-compute", "float64")
    assert refused.returncode == 3
    assert "is not known as the negative logarithm of a distribution" in refused.stderr
    files = ("--data", tmp_path / "data.h5", "--model", tmp_path / "model.h5", "--out", tmp_path / "kfac.h5")
    kfac = run("collect-kfac", *files, "--dtype-compute", "float64")
    assert kfac.returncode == 3
    assert "it was exported without --loss-is-convex; use --fisher-type empirical" in kfac.stderr
    assert (
        run("collect-kfac", *files, "--dtype-compute", "float64", "--fisher-type", "empirical").returncode
        == 0
    )


def test_kfac_of_a_linear_model_of_one_sample_is_its_gauss_newton_matrix(tmp_path, monkeypatch):
    """Of one sample the Kronecker product is exact, so that type2 must find a root of the loss' Hessian."""
    monkeypatch.setattr(own_loss_exports, "SAMPLES", 1)
    monkeypatch.setattr(own_loss_exports, "make_module", lambda *_: own_models.Mlp(hidden=4))
    exported(
        tmp_path, monkeypatch, "class_weights", "classification", "--loss-is-convex", products=("ggn", "kfac")
    )
    files = ("--data", tmp_path / "data.h5", "--model", tmp_path / "model.h5", "--out", tmp_path / "kfac.h5")
    assert run("collect-kfac", *files, "--dtype-compute", "float64").returncode == 0
    head = ("--params-filter", "second.*", "--dtype-compute", "float64")
    kfac = dense(tmp_path, "kfac", "--kfac", tmp_path / "kfac.h5", *head)
    assert relative_error(kfac, dense(tmp_path, "ggn", *head)) < 1e-9


@dataclass
class Heads:
    labels: torch.Tensor
    value: torch.Tensor


def test_the_outputs_of_a_module_may_be_a_dataclass():
    def both(outputs, targets):
        return F.cross_entropy(outputs.labels, targets, reduction="none") + outputs.value.square()

    heads, loss = Heads(torch.randn(5, 3), torch.randn(5)), CustomLoss("mine:both", both, False, ())
    loss.fit(heads, torch.arange(5) % 3)
    z = loss.layout.rows(heads)
    assert z.shape == (5, 4)
    assert (loss.layout.outputs(z).value == heads.value).all()
