"""A module exported with a loss of the user's own, and its dense matrices by double backward."""

import json
import sys
from dataclasses import dataclass

import export_products
import h5py
import numpy as np
import torch
import torch.nn.functional as F
from exports import ROOT, own_models
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

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
