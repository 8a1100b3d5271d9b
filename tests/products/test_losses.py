"""Losses of the user's own: operators equal dense matrices by double backward; refusals say why."""

import json
import sys
from dataclasses import dataclass

import export_products
import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exports import ROOT, own_models, run
from problems import build, dense, relative_error
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.losses.losses import CustomLoss
from tests.models import own_losses

SAMPLES = 7
OUTPUTS = {"ordinal": 2, "gaussian": 4}  # 3 where not said


def margin(outputs, targets):
    """own_losses.multi_margin by its definition."""
    right = outputs.gather(1, targets[:, None])
    gaps = torch.relu(4 - right + outputs) ** 2
    return (gaps.sum(1) - 4.0**2) / outputs.shape[1]


def normal(outputs, targets):
    """Of own_losses.gaussian and two_outputs."""
    mean, variance = outputs
    return (0.5 * (variance.log() + (targets - mean) ** 2 / variance)).sum(1)


def weighted(outputs, targets):
    return own_losses.WEIGHTS.double()[targets] * F.cross_entropy(outputs, targets, reduction="none")


# What a loss is by its definition, where PyTorch has no second derivative of the function or holds float32.
DEFINITIONS = {
    "class_weights": weighted,
    "focal": lambda z, y: weighted(z, y) * (1 - torch.exp(-F.cross_entropy(z, y, reduction="none"))) ** 2,
    "multi_margin": margin,
    "gaussian": lambda z, y: normal((z[:, :2], z[:, 2:].exp()), y),
    "two_outputs": normal,
}


@dataclass
class Exported:
    """A module exported with a loss, and its dense matrices."""

    folder: object
    name: str
    task: str

    def data(self):
        with h5py.File(self.folder / "data.h5") as f:
            values = (torch.from_numpy(f[name][...]) for name in ("inputs", "targets", "weights"))
            return [t.double() if t.is_floating_point() else t for t in values]

    def module(self):
        module = make_module(self.name, self.task)
        module.load_state_dict(torch.load(self.folder / "weights.pt"))
        return module.double()

    def mean_loss(self, function) -> float:
        x, y, _ = self.data()
        return float(function(self.module()(x), y))

    def reference(self, function=None):
        """Hessian, Gauss-Newton matrix and empirical Fisher matrix in float64."""
        x, y, w = self.data()
        module = self.module()
        values = {name: p.detach() for name, p in module.named_parameters()}
        theta = torch.cat([p.reshape(-1) for p in values.values()]).requires_grad_()
        parts = theta.split([p.numel() for p in values.values()])
        parts = {name: part.reshape(p.shape) for (name, p), part in zip(values.items(), parts)}
        with sdpa_kernel(SDPBackend.MATH):
            outputs = functional_call(module, parts, (x,))
        function = function or DEFINITIONS.get(self.name) or getattr(own_losses, self.name)
        losses = function(outputs, y)
        w = w.reshape(-1, *[1] * (losses.dim() - 1)).expand_as(losses)
        w = w / w.sum()
        flat = outputs if isinstance(outputs, tuple) else (outputs,)
        (g,) = torch.autograd.grad((w * losses).sum(), theta, create_graph=True)
        leaves = tuple(t.detach().requires_grad_() for t in flat)
        value = (w * function(leaves if isinstance(outputs, tuple) else leaves[0], y)).sum()
        slope = joined(torch.autograd.grad(value, leaves, create_graph=True))
        curvature = rows_of(slope, leaves)
        jacobian = rows_of(joined(flat), (theta,))
        per_term = rows_of(losses.reshape(-1), (theta,))
        return {
            "hessian": rows_of(g, (theta,)),
            "ggn": jacobian.T @ curvature @ jacobian,
            "empirical_fisher": per_term.T @ (w.reshape(-1, 1) * per_term),
        }


def joined(tensors):
    return torch.cat([t.reshape(-1) for t in tensors])


def rows_of(outputs, leaves):
    """d outputs[k] / d leaves, a row for every k."""
    if not outputs.requires_grad:
        return torch.zeros(len(outputs), sum(t.numel() for t in leaves), dtype=torch.float64)
    rows = [
        joined(torch.autograd.grad(o, leaves, retain_graph=True, allow_unused=True, materialize_grads=True))
        for o in outputs
    ]
    return torch.stack(rows).detach()


def make_module(name, task):
    if task == "language_modeling":
        return own_models.Transformer(tied=False)
    if name == "two_outputs":
        return own_models.heteroscedastic()
    return own_models.Mlp(hidden=4, outputs=OUTPUTS.get(name, 3))


def write_data(folder, name, task):
    random = np.random.default_rng(3)
    width = 2 if name in ("gaussian", "two_outputs") else 3
    inputs = random.standard_normal((SAMPLES, 4)).astype("f4")
    targets = random.integers(0, 3, SAMPLES)
    if task == "regression":
        targets = random.standard_normal((SAMPLES, width)).astype("f4")
    if task == "language_modeling":
        inputs, targets = random.integers(0, 6, (2, SAMPLES, 5))
    with h5py.File(folder / "data.h5", "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": task})
        f.attrs["num_classes"] = 6 if task == "language_modeling" else targets.shape[-1] if width == 2 else 3
        f["inputs"], f["targets"], f["weights"] = inputs, targets, random.uniform(0.5, 2.0, SAMPLES)


def exported(folder, monkeypatch, name, task="classification", *flags, products=("ggn", "hessian")):
    """Runs the export in this process, in float64, uncompiled, for micro-batches of 4."""
    write_data(folder, name, task)
    torch.manual_seed(1)
    module = make_module(name, task)
    torch.save(module.state_dict(), folder / "weights.pt")
    arguments = {"hidden": 4, "outputs": OUTPUTS.get(name, 3)}
    place = "mlp"
    if task == "language_modeling":
        arguments, place = {"tied": False}, "transformer"
    if name == "two_outputs":
        arguments, place = {}, "heteroscedastic"
    command = ["export_products.py", "--module", f"tests.models.own_models:{place}"]
    command += ["--kwargs", json.dumps(arguments), "--weights", folder / "weights.pt", "--compile", "none"]
    loss = f"tests.models.own_losses:{name}" if hasattr(own_losses, name) else name
    command += ["--data", folder / "data.h5", "--loss", loss, "--micro-batch", 4]
    command += ["--packages", folder / "packages", "--out", folder / "model.h5", "--dtype-compute", "float64"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--products", *products, *flags])
    monkeypatch.chdir(ROOT)
    export_products.main()
    return Exported(folder, name, task)


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
    monkeypatch.setattr(sys.modules[__name__], "SAMPLES", 1)
    monkeypatch.setattr(sys.modules[__name__], "make_module", lambda *_: own_models.Mlp(hidden=4))
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

    monkeypatch.setattr(sys.modules[__name__], "write_data", one_target)
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
