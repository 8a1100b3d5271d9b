"""Dense curvature matrices by independent means: plain PyTorch in float64, one output or row at a time.

Hessians come from reverse over reverse, row by row. torch.func.hessian is no reference: it is silently wrong
through LayerNorm in PyTorch 2.13.
"""

import numpy as np
import torch
from draws import targets


def row_losses(name, z, y):
    """l(z_i, y_i) of every row, of a loss by name or as a function."""
    if callable(name):
        return name(z, y)
    if name == "cross_entropy":
        return torch.logsumexp(z, 1) - z.gather(1, y[:, None])[:, 0]
    if not y.is_floating_point():
        y = torch.nn.functional.one_hot(y, z.shape[1]).to(z.dtype)
    if name == "bce":
        p = torch.sigmoid(z)
        return -(y * torch.log(p) + (1 - y) * torch.log1p(-p)).sum(1)
    return 0.5 * ((z - y) ** 2).sum(1)


def jacobian_rows(outputs, theta, **options):
    """d outputs[k] / d theta, a row for every k."""
    rows = [
        torch.autograd.grad(o, theta, retain_graph=True, allow_unused=True, **options)[0] for o in outputs
    ]
    return torch.stack([torch.zeros_like(theta) if r is None else r for r in rows])


def symmetric(a):
    """The matrix as numpy, after a check that the reference itself is symmetric."""
    a = a.detach().numpy()
    assert np.abs(a - a.T).max() <= 1e-11 * max(np.abs(a).max(), 1e-300), "the reference is not symmetric"
    return a


class Reference:
    """Dense matrices of one problem: model, theta, data. `weights` [rows] contain mask and sample weights."""

    def __init__(self, shapes, forward, values, inputs, targets, weights, loss):
        self.theta = torch.cat([v.reshape(-1) for v in values]).clone().requires_grad_()
        sizes = [v.numel() for v in values]
        parts = dict(zip([n for n, _ in shapes], torch.split(self.theta, sizes)))
        parts = {name: parts[name].reshape(shape) for name, shape in shapes}
        self.z = forward(parts, inputs)
        self.y, self.loss = targets, loss
        self.w = weights / weights.sum()

    def _slope(self):
        risk = (self.w * row_losses(self.loss, self.z, self.y)).sum()
        return torch.autograd.grad(risk, self.theta, create_graph=True)[0]

    def hessian(self):
        return symmetric(jacobian_rows(self._slope(), self.theta))

    def hessian_rows(self, combined):
        """Combinations [m, n] of the Hessian's rows."""
        rows = jacobian_rows(combined @ self._slope(), self.theta)
        symmetric(rows @ combined.T)
        return rows.numpy()

    def _jacobian(self):
        return jacobian_rows(self.z.reshape(-1), self.theta).reshape(*self.z.shape, -1)

    def ggn(self):
        """sum_i w_i J_i' H_i J_i with explicit J_i [C, n] and H_i [C, C]."""
        total = torch.zeros(len(self.theta), len(self.theta), dtype=torch.float64)
        for i, jacobian in enumerate(self._jacobian()):
            z = self.z[i : i + 1].detach().requires_grad_()
            (g,) = torch.autograd.grad(
                row_losses(self.loss, z, self.y[i : i + 1]).sum(), z, create_graph=True
            )
            h = jacobian_rows(g[0], z)[:, 0]
            total += self.w[i] * jacobian.T @ h @ jacobian
        return symmetric(total)

    def empirical_fisher(self):
        """sum_i w_i g_i g_i' with the gradient g_i of every row's loss."""
        g = jacobian_rows(row_losses(self.loss, self.z, self.y), self.theta)
        return symmetric(g.T @ (self.w[:, None] * g))

    def mc_fisher(self, draws, seed):
        """sum_i w_i g_i g_i' with the gradient g_i at targets drawn from the model, the mean of all draws."""
        total = 0
        for draw in range(draws):
            y = targets(self.loss, self.z, seed, draw)
            g = jacobian_rows(row_losses(self.loss, self.z, y), self.theta)
            total = total + g.T @ (self.w[:, None] * g) / draws
        return symmetric(total)

    def sample_fisher(self, samples, clip):
        """sum_s w_s g_s g_s' with the mean g_s of each sample's row gradients, no longer than `clip`."""
        g = jacobian_rows(row_losses(self.loss, self.z, self.y), self.theta)
        w = self.w.reshape(samples, -1)
        means = torch.einsum("st,stn->sn", w / w.sum(1, keepdim=True), g.reshape(samples, w.shape[1], -1))
        means = means * torch.clamp(clip / means.norm(dim=1, keepdim=True), max=1)
        return symmetric(means.T @ (w.sum(1, keepdim=True) * means))

    def gradient(self):
        risk = (self.w * row_losses(self.loss, self.z, self.y)).sum()
        return torch.autograd.grad(risk, self.theta, retain_graph=True)[0].numpy()
