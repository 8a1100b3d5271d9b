"""A user's modules, as plain as users write them; for `--module tests.models.own_models:NAME`."""

import torch
import torch.nn.functional as F
from torch import nn


class Mlp(nn.Module):
    def __init__(self, features=4, hidden=6, outputs=3):
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x.flatten(1))))


def normalised(features=4, width=5, outputs=3):
    """Batch normalisation: its running statistics belong to the weights."""
    return nn.Sequential(
        nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs)
    )


class Cnn(nn.Module):
    """Two convolutions, the second strided, with GroupNorm and an activation that works in place."""

    def __init__(self, channels=1, width=4, outputs=3, size=6):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.GroupNorm(2, width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.act = nn.GELU()
        self.head = nn.Linear(width * ((size + 1) // 2) ** 2, outputs)

    def forward(self, x):
        x = F.silu(self.norm(self.conv1(x)), inplace=True)
        return self.head(self.act(self.conv2(x)).flatten(1))


class Residual(nn.Module):
    """A residual network whose blocks share one layer: the same weights at every depth."""

    def __init__(self, features=64, width=16, depth=3, outputs=10):
        super().__init__()
        self.stem = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width)
        self.shared = nn.Linear(width, width)
        self.depth = depth
        self.head = nn.Linear(width, outputs)
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, x):
        h = self.stem(x.flatten(1))
        for _ in range(self.depth):
            h = h + self.scale * torch.tanh(self.shared(self.norm(h)))
        return {"logits": self.head(h)}


class Transformer(nn.Module):
    """A causal language model; attention by PyTorch's fused function."""

    def __init__(self, vocabulary=6, width=4, heads=2, context=5, layers=1, ratio=2, tied=True):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(0.1 * torch.randn(context, width))
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(width),
                    "qkv": nn.Linear(width, 3 * width),
                    "out": nn.Linear(width, width),
                    "norm2": nn.LayerNorm(width),
                    "up": nn.Linear(width, ratio * width),
                    "down": nn.Linear(ratio * width, width),
                }
            )
            for _ in range(layers)
        )
        self.head = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.head.weight = self.tokens.weight
        self.heads = heads

    def attention(self, layer, h):
        n, t, d = h.shape
        q, k, v = (
            part.reshape(n, t, self.heads, d // self.heads).transpose(1, 2)
            for part in layer["qkv"](layer["norm1"](h)).split(d, -1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return layer["out"](mixed.transpose(1, 2).reshape(n, t, d))

    def forward(self, tokens):
        h = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            h = h + self.attention(layer, h)
            h = h + layer["down"](F.gelu(layer["up"](layer["norm2"](h))))
        return self.head(h)


class Resolvent(nn.Module):
    """A layer whose weight goes through a trace and a reciprocal (torch.trace: pytorch #190855)."""

    def __init__(self, features=3):
        super().__init__()
        self.weight = nn.Parameter(1 + torch.rand(features, features))

    def forward(self, x):
        return x @ (1 / (self.weight + torch.trace(self.weight) * torch.eye(len(self.weight), dtype=x.dtype)))


class Centred(Mlp):
    """Each hidden unit is centred by its mean over the batch: samples depend on one another."""

    def forward(self, x):
        h = self.first(x)
        return self.second(torch.tanh(h - h.mean(0)))


class Heteroscedastic(nn.Module):
    """Mean and variance as two outputs."""

    def __init__(self, features=4, hidden=4):
        super().__init__()
        self.body = nn.Linear(features, hidden)
        self.mean, self.variance = nn.Linear(hidden, 2), nn.Linear(hidden, 2)

    def forward(self, x):
        h = torch.tanh(self.body(x))
        return self.mean(h), 0.1 + F.softplus(self.variance(h))


def heteroscedastic():
    return Heteroscedastic()


def mlp(**arguments):
    return Mlp(**arguments)


def frozen(**arguments):
    """The same with a last layer that is not trained."""
    module = Mlp(**arguments)
    module.second.requires_grad_(False)
    return module


def labels(**arguments):
    return Mlp(**arguments)


def cnn(**arguments):
    return Cnn(**arguments)


def residual(**arguments):
    return Residual(**arguments)


def transformer(**arguments):
    return Transformer(**arguments)


def resolvent(**arguments):
    return Resolvent(**arguments)


def centred(**arguments):
    return Centred(**arguments)
