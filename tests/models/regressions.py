"""Networks whose outputs are values: an autoencoder, a variational one, the residual of an equation."""

import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    """An image from its code."""

    def __init__(self, width=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
        self.decoder = nn.Sequential(
            nn.Linear(2, 4 * width),
            nn.ReLU(),
            nn.Unflatten(1, (width, 2, 2)),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Variational(nn.Module):
    """Reconstruction, mean and log variance of the code; the code is drawn at random, or is its mean in
    evaluation mode, as `mean_alone` says."""

    def __init__(self, features=4, mean_alone=True):
        super().__init__()
        self.encoder, self.mean = nn.Linear(features, 3), nn.Linear(3, 2)
        self.log_variance, self.decoder = nn.Linear(3, 2), nn.Linear(2, features)
        self.mean_alone = mean_alone

    def forward(self, x):
        h = torch.tanh(self.encoder(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        code = mean
        if self.training or not self.mean_alone:
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decoder(code), mean, log_variance


def evidence(outputs, targets):
    """Reconstruction and divergence from the standard normal distribution."""
    found, mean, log_variance = outputs
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
    return F.mse_loss(found, targets, reduction="none").sum(1) + divergence


class PhysicsInformed(nn.Module):
    """u_t - 0.1 u_xx of a network u, by derivatives inside the forward pass, as tutorials write it."""

    def __init__(self, width=4):
        super().__init__()
        self.u = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.last = nn.Linear(width, 1)

    def forward(self, inputs):
        x, t = inputs[:, 0:1].requires_grad_(True), inputs[:, 1:2].requires_grad_(True)
        u = self.last(self.u(torch.cat([x, t], 1)))
        ones = torch.ones_like(u)
        u_x = torch.autograd.grad(u, x, grad_outputs=ones, retain_graph=True, create_graph=True)[0]
        u_xx = torch.autograd.grad(u_x, x, grad_outputs=ones, retain_graph=True, create_graph=True)[0]
        u_t = torch.autograd.grad(u, t, grad_outputs=ones, retain_graph=True, create_graph=True)[0]
        return u_t - 0.1 * u_xx


class Potential(nn.Module):
    """The energy of an atom at a place, and the force on it."""

    def __init__(self, width=4):
        super().__init__()
        self.body, self.last = nn.Linear(3, width), nn.Linear(width, 1)

    def forward(self, positions):
        positions.requires_grad_()
        energy = self.last(torch.tanh(self.body(positions)))
        forces = -torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
        return {"energy": energy, "forces": forces}


def energy_and_forces(outputs, targets):
    energy, forces = outputs["energy"], outputs["forces"]
    return (energy[:, 0] - targets[:, 0]).square() + 0.1 * (forces - targets[:, 1:]).square().sum(1)


class Quantiles(nn.Module):
    """Levels that cannot cross: the first, and positive gaps."""

    def __init__(self, features=4, levels=3):
        super().__init__()
        self.body, self.last = nn.Linear(features, 4), nn.Linear(4, levels)

    def forward(self, x):
        z = self.last(torch.tanh(self.body(x)))
        return torch.cumsum(torch.cat([z[:, :1], F.softplus(z[:, 1:])], 1), 1)


def pinball(outputs, targets):
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=outputs.dtype)
    gaps = targets - outputs
    return torch.max((levels - 1) * gaps, levels * gaps).mean(1)


def random_code():
    return Variational(mean_alone=False)
