"""Our losses with PyTorch's options, for modules: what PyTorch's functions with these options give."""

import re

import h5py
import numpy as np
import own_loss_exports
import pytest
import torch
import torch.nn.functional as F
from own_loss_exports import exported
from problems import build, dense, relative_error

from ritzflow.common.script_cli import InputError

WEIGHTS = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
WEIGHTED = ("--class-weights", "1", "2", "0.5")


def cross_entropy(**options):
    return lambda z, y: F.cross_entropy(z, y, reduction="none", **options)


def elements(function, over=torch.sum, **options):
    return lambda z, y: over(function(z, y, reduction="none", **options), 1)


# Name, task, flags, and the same by PyTorch.
CASES = [
    ("cross_entropy", "classification", ("--label-smoothing", "0.1"), cross_entropy(label_smoothing=0.1)),
    ("cross_entropy", "classification", WEIGHTED, cross_entropy(weight=WEIGHTS)),
    ("huber", "regression", ("--delta", "0.5"), elements(F.huber_loss, delta=0.5)),
    ("mse", "regression", ("--reduction", "mean"), elements(F.mse_loss, torch.mean)),
    (
        "language_modeling",
        "language_modeling",
        ("--label-smoothing", "0.2"),
        lambda z, y: cross_entropy(label_smoothing=0.2)(z.movedim(-1, 1), y),
    ),
]


@pytest.mark.parametrize(("name", "task", "flags", "function"), CASES)
def test_operators_with_options_equal_those_of_pytorchs_loss(
    name, task, flags, function, tmp_path, monkeypatch
):
    made = exported(tmp_path, monkeypatch, name, task, *flags)
    for operator, expected in made.reference(function).items():
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, expected.numpy()) < 1e-9, operator
    with h5py.File(tmp_path / "operator.h5") as f:
        assert f.attrs["loss"].startswith("cross_entropy" if name == "language_modeling" else name)
        assert f.attrs["is_psd"]


def edited(monkeypatch, change):
    """Lets own_loss_exports.write_data end with a change of the file."""
    write = own_loss_exports.write_data

    def write_and_change(folder, *arguments):
        write(folder, *arguments)
        with h5py.File(folder / "data.h5", "a") as f:
            change(f)

    monkeypatch.setattr(own_loss_exports, "write_data", write_and_change)


def test_the_mean_of_weighted_classes_is_that_of_pytorch(tmp_path, monkeypatch, capsys):
    edited(monkeypatch, lambda f: f["weights"].write_direct(np.ones(7)))
    made = exported(
        tmp_path, monkeypatch, "cross_entropy", "classification", *WEIGHTED, "--reduction", "mean"
    )
    with h5py.File(tmp_path / "data.h5") as f:
        y = torch.from_numpy(f["targets"][...])
    scale = WEIGHTS[y].mean()
    expected = made.reference(lambda z, y: cross_entropy(weight=WEIGHTS)(z, y) / scale)
    assert (
        relative_error(dense(tmp_path, "ggn", "--dtype-compute", "float64"), expected["ggn"].numpy()) < 1e-9
    )
    said = float(re.search(r"on 7 samples: loss ([\d.]+)", capsys.readouterr().err)[1])
    assert said == pytest.approx(made.mean_loss(lambda z, y: F.cross_entropy(z, y, WEIGHTS)), rel=1e-3)


def test_cross_entropy_takes_probabilities_as_targets(tmp_path, monkeypatch):
    def soften(f):
        targets = torch.nn.functional.one_hot(torch.from_numpy(f["targets"][...]), 3).double()
        del f["targets"]
        f["targets"] = (0.7 * targets + 0.1).numpy().astype("f4")

    edited(monkeypatch, soften)
    made = exported(tmp_path, monkeypatch, "cross_entropy")
    expected = made.reference(cross_entropy())
    for operator in ("hessian", "ggn"):
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, expected[operator].numpy()) < 1e-9


def test_binary_labels_take_one_logit(tmp_path, monkeypatch):
    def binary(f):
        f["targets"].write_direct(f["targets"][...] % 2)
        f.attrs["num_classes"] = 2

    edited(monkeypatch, binary)
    monkeypatch.setitem(own_loss_exports.OUTPUTS, "bce", 1)
    made = exported(tmp_path, monkeypatch, "bce")
    expected = made.reference(
        lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.double(), reduction="none")
    )
    for operator, matrix in expected.items():
        found = dense(tmp_path, operator, "--dtype-compute", "float64")
        assert relative_error(found, matrix.numpy()) < 1e-9, operator
    assert build(tmp_path, "mc_fisher", "--dtype-compute", "float64").returncode == 0


@pytest.mark.parametrize(
    ("name", "flags", "reason"),
    [
        ("mse", ("--delta", "1"), "--delta is an option of huber, not of mse"),
        ("focal", ("--delta", "1"), "--delta is an option of our losses, not of a loss of your own"),
        ("cross_entropy", ("--class-weights", "1"), "expected 3 numbers >= 0, one a class"),
        ("cross_entropy", ("--label-smoothing", "1"), r"1 is outside \[0, 1\)"),
        ("huber", ("--delta", "0"), "0 is not above 0"),
    ],
)
def test_an_option_that_says_nothing_is_refused(name, flags, reason, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=reason):
        exported(tmp_path, monkeypatch, name, "classification", *flags)
