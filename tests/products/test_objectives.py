"""Objectives: Hessian and empirical Fisher matrix equal those by double backward; the others are refused."""

import json
import sys

import export_products
import h5py
import numpy as np
import pytest
import torch
from exports import ROOT, own_models, run
from own_loss_exports import rows_of
from problems import build, dense, relative_error

from ritzflow.common.script_cli import InputError, Refusal
from tests.models import own_losses, preferences

SAMPLES = 7
# Inputs and outputs of the module; real targets of a sample, or 0: a class.
OBJECTIVES = {
    "oscillator": (1, 1, 1),
    "oscillator_by_func": (1, 1, 1),
    "decayed": (4, 3, 0),
    "energy_and_force": (3, 1, 4),
    "unrolled": (3, 3, 3),
}


COUPLED = ("triplets", "contrast")  # samples are compared with one another


def write_data(folder, name) -> None:
    inputs, outputs, targets = OBJECTIVES.get(name, (4, 3, 0))
    random = np.random.default_rng(0)
    with h5py.File(folder / "data.h5", "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0"})
        f.attrs["task"] = "regression" if targets else "classification"
        f.attrs["num_classes"] = targets or outputs
        f["inputs"] = random.standard_normal((SAMPLES, inputs)).astype("f4")
        values = random.standard_normal((SAMPLES, targets)).astype("f4")
        f["targets"] = values if targets else random.integers(0, outputs, SAMPLES)
        f["weights"] = random.uniform(0.5, 2.0, SAMPLES)


def make_module(name):
    inputs, outputs, _ = OBJECTIVES.get(name, (4, 3, 0))
    torch.manual_seed(1)
    return own_models.mlp(features=inputs, outputs=outputs, hidden=4)


def exported(folder, monkeypatch, name, *flags):
    write_data(folder, name)
    inputs, outputs, _ = OBJECTIVES.get(name, (4, 3, 0))
    torch.save(make_module(name).state_dict(), folder / "weights.pt")
    arguments = {"features": inputs, "outputs": outputs, "hidden": 4}
    command = ["export_products.py", "--module", "tests.models.own_models:mlp"]
    command += ["--kwargs", json.dumps(arguments), "--weights", folder / "weights.pt", "--compile", "none"]
    command += ["--data", folder / "data.h5", "--objective", f"tests.models.own_losses:{name}"]
    command += ["--packages", folder / "packages", "--out", folder / "model.h5", "--dtype-compute", "float64"]
    size = [] if "--whole-batch" in flags else ["--micro-batch", "4"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), *size, *flags])
    monkeypatch.chdir(ROOT)
    export_products.main()


def reference(folder, name):
    """Hessian and empirical Fisher matrix of the weighted mean in float64."""
    with h5py.File(folder / "data.h5") as f:
        x, y, w = (torch.from_numpy(f[place][...]) for place in ("inputs", "targets", "weights"))
    module = make_module(name).double()
    y = y.double() if y.is_floating_point() else y
    losses = getattr(own_losses, name)(module, x.double(), y)
    parameters = list(module.parameters())
    w = w / w.sum()
    slope = torch.autograd.grad((w * losses).sum(), parameters, create_graph=True)
    gradients = rows_of(losses, parameters)
    return {
        "hessian": rows_of(torch.cat([g.reshape(-1) for g in slope]), parameters),
        "empirical_fisher": gradients.T @ (w[:, None] * gradients),
    }


@pytest.mark.parametrize("name", [*OBJECTIVES, *COUPLED])
def test_hessian_and_empirical_fisher_matrix_equal_those_by_double_backward(name, tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, name, *(["--whole-batch"] if name in COUPLED else []))
    for operator, expected in reference(tmp_path, name).items():
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, expected.numpy()) < 1e-9, operator
    with h5py.File(tmp_path / "operator.h5") as f:
        assert f.attrs["loss"] == f"tests.models.own_losses:{name}"


def test_preferences_over_a_frozen_reference_have_the_hessian_by_double_backward(tmp_path, monkeypatch):
    random = np.random.default_rng(2)
    inputs = {name: random.integers(0, 6, (5, 4)) for name in ("chosen", "rejected")}
    with h5py.File(tmp_path / "data.h5", "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": "classification"})
        f.attrs["num_classes"] = 2
        f["targets"] = np.zeros(5, int)
        for name, tokens in inputs.items():
            f[f"inputs/{name}"] = tokens
    module = preferences.with_reference().double()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    command = ["export_products.py", "--module", "tests.models.preferences:with_reference", "--trainable"]
    command += ["--objective", "tests.models.preferences:preference", "--weights", tmp_path / "weights.pt"]
    command += ["--data", tmp_path / "data.h5", "--packages", tmp_path / "packages", "--compile", "none"]
    command += ["--out", tmp_path / "model.h5", "--micro-batch", "3", "--dtype-compute", "float64"]
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    monkeypatch.chdir(ROOT)
    export_products.main()
    losses = preferences.preference(module, {k: torch.from_numpy(v) for k, v in inputs.items()}, None)
    policy = list(module.policy.parameters())
    slope = torch.autograd.grad(losses.mean(), policy, create_graph=True)
    expected = rows_of(torch.cat([g.reshape(-1) for g in slope]), policy).numpy()
    assert relative_error(dense(tmp_path, "hessian", "--dtype-compute", "float64"), expected) < 1e-9


def test_what_needs_a_function_of_outputs_is_refused(tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, "decayed")
    for operator, reason in (("ggn", "has no Gauss-Newton matrix"), ("mc_fisher", "cannot be drawn")):
        refused = build(tmp_path, operator, "--dtype-compute", "float64")
        assert refused.returncode == 3
        assert reason in refused.stderr
    files = ("--data", tmp_path / "data.h5", "--model", tmp_path / "model.h5", "--out", tmp_path / "kfac.h5")
    assert run("collect-kfac", *files, "--dtype-compute", "float64").returncode == 3


def test_samples_that_are_compared_with_one_another_need_the_whole_batch(tmp_path, monkeypatch):
    with pytest.raises(Refusal, match=r"depends on the other samples of its batch.*--whole-batch"):
        exported(tmp_path, monkeypatch, "triplets")


def test_an_objective_gives_one_loss_a_sample(tmp_path, monkeypatch):
    with pytest.raises(Refusal, match=r"returns losses of shape \[\] for 4 samples: one for each"):
        exported(tmp_path, monkeypatch, "mean_of_batch")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--loss", "mse"), "--objective stands in the place of --loss"),
        (
            ("--objective", "tests.models.own_losses:focal"),
            r"cannot be called with \(module, inputs, targets\)",
        ),
        (("--objective", "tests.models.own_losses:decaid"), "did you mean 'decayed'"),
    ],
)
def test_what_is_no_objective_is_named(flags, reason, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=reason):
        exported(tmp_path, monkeypatch, "decayed", *flags)
