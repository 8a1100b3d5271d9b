"""Kronecker factors of linear and convolution layers from plain PyTorch hooks."""

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from dense import Reference, row_losses
from torch import nn


def seen_by(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a weight is multiplied by at each position [N, R, in]."""
    if isinstance(layer, nn.Conv2d):
        return F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).transpose(1, 2)
    return x.reshape(len(x), -1, x.shape[-1])


class UsesOfLayers:
    """Inputs and outputs of the layers in the last call of a module."""

    def __init__(self, module: nn.Module):
        self.seen: dict[str, list] = {}
        module.register_forward_pre_hook(lambda *_: self.seen.clear())
        for name, layer in module.named_modules():
            if isinstance(layer, nn.Linear | nn.Conv2d) and getattr(layer, "groups", 1) == 1:
                layer.register_forward_hook(self.recorder(name))

    def recorder(self, name: str):
        def record(layer, inputs, output):
            self.seen.setdefault(name, []).append((layer, inputs[0], output))

        return record

    def factors(self, z: torch.Tensor, reference: Reference) -> dict[str, tuple]:
        """A and G of the empirical Fisher matrix, of each layer that is used once and has all samples as the
        first axis; for one row of z a sample."""
        (r,) = torch.autograd.grad(row_losses(reference.loss, z, reference.y).sum(), z, retain_graph=True)
        w, found = reference.w, {}
        for name, uses in self.seen.items():
            layer, x, output = uses[0]
            if len(uses) > 1 or len(x) != len(z):
                continue
            (g,) = torch.autograd.grad(z, output, r * w.sqrt()[:, None], retain_graph=True)
            g = g.flatten(2).transpose(1, 2) if g.dim() == 4 and isinstance(layer, nn.Conv2d) else g
            g = g.reshape(len(g), -1, g.shape[-1])
            a = seen_by(layer, x)
            if layer.bias is not None:
                a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
            weights = (w / a.shape[1])[:, None, None]
            found[name] = torch.einsum("nri,nrj->ij", a * weights, a), torch.einsum("nri,nrj->ij", g, g)
        return found


def require_eigenvalues(file: h5py.File, expected: dict[str, tuple]) -> None:
    """Those of A and G of every layer."""
    for name, pair in expected.items():
        for side, right in zip("ag", pair):
            found = file[f"layers/{name}/{side}_eigenvalues"][...]
            values = np.linalg.eigvalsh(right.detach().numpy())
            assert np.abs(found - values).max() < 1e-10 * values[-1], (name, side)
