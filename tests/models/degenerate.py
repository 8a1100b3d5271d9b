"""Modules of which some product keeps nothing, reads nothing or is zero; for `--module`."""

import torch
from torch import nn


class OneHiddenReLU(nn.Module):
    """The Hessian needs nothing that depends on the residuals."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class EmbeddingAndLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)

    def forward(self, x):
        return self.head(self.embedding(x))


class Graph(nn.Module):
    """A ReLU graph network over the four nodes of every sample."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(1, 3), nn.Linear(3, 3)
        self.register_buffer("adjacency", 0.25 + torch.eye(4))

    def forward(self, x):
        h = torch.relu(self.adjacency @ self.first(x.unsqueeze(-1)))
        return (self.adjacency @ self.second(h)).mean(1)


class Matrix(nn.Module):
    """One parameter, in which the outputs are linear."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return x @ self.weight


class Scalar(nn.Module):
    """One parameter without dimensions; the last output is a constant."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        return torch.cat([self.scale**3 * x[:, :2], torch.ones_like(x[:, :1])], 1)


class Bias(nn.Module):
    """Outputs that are the parameters themselves, whatever the inputs."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return self.bias.expand(len(x), 3)


class Unused(nn.Module):
    """A parameter that no output depends on."""

    def __init__(self):
        super().__init__()
        self.layer, self.unused = nn.Linear(4, 3), nn.Parameter(torch.randn(2, 2))

    def forward(self, x):
        return torch.tanh(self.layer(x))


class ConstantInput(nn.Module):
    """A layer that is given a constant: what K-FAC reads of it depends on nothing."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3, bias=False)

    def forward(self, x):
        return x[:, :3] + self.layer(torch.ones(len(x), 2, dtype=x.dtype))


class Nothing(nn.Module):
    """No output depends on a parameter."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return x[:, :3]
