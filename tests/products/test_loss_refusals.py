"""Functions that are no losses of samples, or that the data contradict, are refused with the reason."""

import json

import h5py
import numpy as np
import own_loss_exports
import pytest
from own_loss_exports import OUTPUTS, SAMPLES, exported, write_data
from problems import build

from ritzflow.common.script_cli import InputError, Refusal

REFUSED = {
    "mean": ("classification", "one number for the whole batch; expected one for each of the 4 samples"),
    "elementwise": ("regression", "losses of shape [4, 3], expected [4], one a sample; sum over the outputs"),
    "batch_statistics": ("classification", "the loss of a sample depends on other samples of its batch"),
    "cut_off": ("classification", "autograd's gradient differs from finite differences by"),
    "single_precision": ("classification", "a tensor of the loss is float32: write tensor.to(outputs.dtype)"),
    "single_precision_of_labels": (
        "classification",
        "float32 where float64 is asked for; let the tensor that it is given be a buffer",
    ),
    "asks_for_values": ("regression", "control flow depends on data or weights"),
    "random": ("classification", "draws random numbers"),
    "ctc": ("language_modeling", "ctc_loss cannot be differentiated twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_loss_of_samples_is_refused_with_the_reason(name, tmp_path, monkeypatch):
    task, reason = REFUSED[name]
    with pytest.raises(Refusal) as refusal:
        exported(tmp_path, monkeypatch, name, task)
    assert reason in str(refusal.value)
    assert f"tests.models.own_losses:{name}" in str(refusal.value)
    assert not (tmp_path / "model.h5").exists()


def test_a_loss_that_is_said_to_be_convex_must_be_so_on_the_data(tmp_path, monkeypatch):
    with pytest.raises(Refusal) as refusal:
        exported(tmp_path, monkeypatch, "robust", "regression", "--loss-is-convex")
    assert "has a negative curvature in the outputs" in str(refusal.value)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("tests.models.own_losses:smothed", "did you mean 'smoothed'?"),
        ("tests.models.no_such_file:loss", "No module named 'tests.models.no_such_file'"),
        ("tests.models.own_losses:WEIGHTS", "is neither a function of (outputs, targets)"),
        ("tests.models.own_losses:", "is not of the form package.module:function"),
    ],
)
def test_a_loss_that_cannot_be_found_is_named(place, reason):
    from ritzflow.export.losses.losses import load

    with pytest.raises(InputError, match="--loss: ") as error:
        load(place, False, ())
    assert reason in str(error.value)


def test_a_token_mask_and_one_loss_a_sequence_contradict_each_other(tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, "sentences", "language_modeling")
    with h5py.File(tmp_path / "data.h5", "a") as f:
        f["mask"] = np.tile([1, 1, 1, 1, 0], (SAMPLES, 1)).astype(np.uint8)
    refused = build(tmp_path, "ggn", "--dtype-compute", "float64")
    assert refused.returncode == 3
    assert "gives one number a sample, but the data mask or weight single tokens" in refused.stderr


def test_targets_that_are_broadcast_to_the_outputs_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(OUTPUTS, "broadcast", 1)
    write = write_data

    def one_target(folder, *arguments):
        write(folder, *arguments)
        with h5py.File(folder / "data.h5", "a") as f:
            first = f["targets"][:, 0]
            del f["targets"]
            f["targets"] = first
            f.attrs["num_classes"] = 1

    monkeypatch.setattr(own_loss_exports, "write_data", one_target)
    with pytest.raises(Refusal, match=r"outputs \[4, 1\] and targets \[4\] broadcast to one another"):
        exported(tmp_path, monkeypatch, "broadcast", "regression")


def test_a_package_of_another_loss_is_noticed(tmp_path, monkeypatch):
    exported(tmp_path, monkeypatch, "huber_loss", "regression")
    with h5py.File(tmp_path / "model.h5", "a") as f:
        spec = json.loads(f.attrs["spec"])
        f["check/r"][0] *= 1 + 1e-6
        assert spec["training"]["loss_curvature"] == "unknown"
    with h5py.File(tmp_path / "model.h5") as f, h5py.File(tmp_path / "plain.h5", "w") as g:
        for name in f:
            f.copy(name, g)
        g.attrs.update({k: v for k, v in f.attrs.items() if k != "content_sha256"})
    (tmp_path / "plain.h5").replace(tmp_path / "model.h5")
    refused = build(tmp_path, "ggn", "--dtype-compute", "float64")
    assert refused.returncode == 3
    assert "the package's 'r' differs from what was recorded at the export" in refused.stderr
