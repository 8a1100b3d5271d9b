"""Kronecker factors where a sample has several terms of the loss, or inputs have names, equal those from
plain PyTorch hooks, each term sent back alone."""

import h5py
import pytest
import torch
from dense import row_losses
from exports import run
from named_problems import PROBLEMS, export
from torch import nn
from uses_of_layers import require_eigenvalues, seen_by

NAMES = ["masked_mean", "tags", "pixels", "masked_values"]


@pytest.fixture(params=NAMES)
def factors(request, tmp_path, monkeypatch):
    problem = PROBLEMS[request.param]
    export(tmp_path, problem, monkeypatch, "--micro-batch", 4, "--dtype-compute", "float64")
    files = ("--data", tmp_path / "data.h5", "--model", tmp_path / "model.h5", "--out", tmp_path / "kfac.h5")
    done = run("collect-kfac", *files, "--fisher-type", "empirical", "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    return problem, tmp_path / "kfac.h5"


def by_position(t: torch.Tensor) -> torch.Tensor:
    return t.flatten(2).transpose(1, 2) if t.dim() == 4 else t.reshape(len(t), -1, t.shape[-1])


def moments(problem):
    """A and G of every linear and convolution layer by name."""
    module, seen = problem.make().double(), {}

    def record(name):
        return lambda layer, inputs, output: seen.update({name: (seen_by(layer, inputs[0]), output)})

    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.register_forward_hook(record(name))
    reference = problem.reference(module)
    z, w = reference.z, reference.w
    (r,) = torch.autograd.grad(row_losses(problem.loss, z, reference.y).sum(), z, retain_graph=True)
    found = {}
    for name, (a, output) in seen.items():
        a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
        terms = w.reshape(len(a), -1)
        shared = (terms.sum(1, keepdim=True) / a.shape[1]).expand(-1, a.shape[1])
        weights = terms if terms.shape[1] == a.shape[1] else shared
        g = 0
        for i in range(len(z)):
            (d,) = torch.autograd.grad(z[i], output, r[i] * w[i].sqrt(), retain_graph=True)
            g = g + torch.einsum("nri,nrj->ij", by_position(d), by_position(d))
        found[name] = torch.einsum("nr,nri,nrj->ij", weights, a, a), g
    return found


def test_factors_of_several_terms_equal_those_from_hooks(factors):
    problem, path = factors
    expected = moments(problem)
    with h5py.File(path) as f:
        assert set(expected) <= set(f["layers"])
        require_eigenvalues(f, expected)
