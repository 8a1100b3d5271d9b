"""Kronecker factors of every kind of layer, as the dense matrices that the operator applies.

With one sample and one position of a layer, and for a norm always, A (x) G is the layer's block of the
Gauss-Newton matrix itself, element by element. With several positions it is compared with its definition,
from derivatives of each layer's output by its parameters, which know nothing of patches and layouts.
"""

import re

import numpy as np
import pytest
import torch
from kfac_of_layers import N, collect, dense, exported, inputs_of, residuals
from torch import nn


def gauss_newton(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    z = module(x)[0]
    p = z.detach().softmax(0)
    rows = [torch.autograd.grad(value, list(module.parameters()), retain_graph=True) for value in z]
    jacobian = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])
    return (jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian).numpy()


# Parameters of which equal parts along the first axis belong to layers of their own.
PARTS = {
    "layers.grouped.": 2,
    "layers.depthwise.": 2,
    "layers.transposed_groups.": 2,
    "layers.transposed_dilated.": 2,
    "layers.attention_to_others.in_proj_": 3,
    "layers.attention_of_widths.in_proj_": 3,
}


def blocks_of(name: str, count: int) -> list[str]:
    """The layers that parts of a parameter belong to, weight and bias of a layer to the same."""
    layer = re.sub(r"[._](weight|bias)", "", name)
    if count == 3:
        return [layer.replace("in_proj", f"{word}_proj") for word in "qkv"]
    return [f"{layer}[{i}]" for i in range(count)] if count > 1 else [layer]


def blocks(module: nn.Module) -> np.ndarray:
    """The layer that each element of the flat vector belongs to."""
    found = []
    for name, p in module.named_parameters():
        count = next((count for prefix, count in PARTS.items() if name.startswith(prefix)), 1)
        for block in blocks_of(name, count):
            found += [block] * (p.numel() // count)
    return np.array(found)


def block_diagonal(matrix: np.ndarray, module: nn.Module) -> np.ndarray:
    of = blocks(module)
    return np.where(of[:, None] == of[None, :], matrix, 0)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def require_blocks(found: np.ndarray, expected: np.ndarray, module: nn.Module):
    of = blocks(module)
    wrong = {name: error(found[of == name], expected[of == name]) for name in dict.fromkeys(of)}
    assert max(wrong.values()) < 1e-10, {name: e for name, e in wrong.items() if not e < 1e-10}


def test_factors_of_one_sample_and_position_are_blocks_of_the_gauss_newton_matrix(tmp_path):
    module = exported(tmp_path, "one_position", 1)
    assert collect(tmp_path) == []
    expected = block_diagonal(gauss_newton(module, inputs_of(tmp_path)[0]), module)
    for operator in ("kfac", "ekfac"):
        require_blocks(dense(tmp_path, operator), expected, module)


CHANNELS_FIRST = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.BatchNorm1d
POSITIONS_FIRST = ("sequence", "columns")


def by_sample(y: torch.Tensor, name: str, layer: nn.Module) -> torch.Tensor:
    """A layer's output as [N, R, out]."""
    y = y.movedim(1, -1) if isinstance(layer, CHANNELS_FIRST) else y
    if name in POSITIONS_FIRST:
        return y.reshape(-1, N, y.shape[-1]).transpose(0, 1)
    return y.reshape(N, -1, y.shape[-1])


def jacobians(layer: nn.Module, inputs, name: str) -> torch.Tensor:
    """d y[n, r, o] / d its parameters, [N, R, out, P]."""
    y, parameters = by_sample(layer(*(t.detach() for t in inputs)), name, layer), list(layer.parameters())
    rows = [torch.autograd.grad(value, parameters, retain_graph=True) for value in y.reshape(-1)]
    return torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows]).reshape(*y.shape, -1)


def definition(layer: nn.Module, j: torch.Tensor, g: torch.Tensor, approximation: str) -> torch.Tensor:
    """K-FAC's block on a layer's parameters: sum over positions of J' G J / (N R), J = e_o (x) a."""
    if isinstance(layer, nn.BatchNorm1d):  # scale and shift: the block itself
        own = torch.einsum("nrop,nro->np", j, g)
        return own.T @ own
    g = g * j.ne(0).any(-1)  # the entry of an embedding for padding has no gradient
    if approximation == "reduce" and not isinstance(layer, nn.Embedding):
        j, g = j.mean(1, keepdim=True), g.sum(1, keepdim=True)
    moment = torch.einsum("nro,nrq->oq", g, g)
    return torch.einsum("nrop,oq,nrqs->ps", j, moment, j) / (len(j) * j.shape[1])


@pytest.mark.parametrize("approximation", ["expand", "reduce"])
def test_factors_of_several_positions_equal_their_definition(several, approximation):
    folder, module = several
    assert collect(folder, "--fisher-type", "empirical", "--kfac-approx", approximation) == []
    layers = {"first": module.first, **module.layers}
    uses = {name: [] for name in layers}
    hooks = [
        layer.register_forward_hook(lambda _, inputs, y, name=name: uses[name].append((inputs, y)))
        for name, layer in layers.items()
    ]
    x, targets = inputs_of(folder)
    z = module(x)
    for hook in hooks:
        hook.remove()
    matrices = []
    for name, layer in layers.items():
        outputs = [y for _, y in uses[name]]
        found = torch.autograd.grad(z, outputs, residuals(z, targets), retain_graph=True)
        g = torch.cat([by_sample(d, name, layer) for d in found], 1)
        j = torch.cat([jacobians(layer, inputs, name) for inputs, _ in uses[name]], 1)
        matrices.append(definition(layer, j, g, approximation))
    expected = torch.block_diag(*matrices).detach().numpy()
    require_blocks(dense(folder, "kfac"), block_diagonal(expected, module), module)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    return folder, exported(folder, "several_positions", N)
