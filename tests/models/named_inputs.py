"""Modules with several inputs, shared inputs and several terms of the loss a sample, as users write them."""

import torch
from torch import nn


class MaskedMean(nn.Module):
    """Padded sequences of different lengths: the mean of the tokens that count, and real features."""

    def __init__(self, vocabulary=5, width=3, features=2, classes=3):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.hidden, self.head = nn.Linear(width + features, 4), nn.Linear(4, classes)

    def forward(self, input_ids, features, attention_mask=None):
        mask = attention_mask.unsqueeze(-1).to(features.dtype)
        mean = (self.embedding(input_ids) * mask).sum(1) / mask.sum(1)
        return {"logits": self.head(torch.tanh(self.hidden(torch.cat([mean, features], 1))))}


class Tagger(nn.Module):
    """A label for each token [N, T, C], or one for the sequence [N, C]."""

    def __init__(self, vocabulary=9, width=3, classes=4, pooled=False):
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocabulary, width), nn.Linear(width, classes)
        self.pooled = pooled

    def forward(self, tokens):
        h = self.embedding(tokens)
        h = torch.tanh(h + h.mean(1, keepdim=True))
        return self.head(h.mean(1) if self.pooled else h)


class Segmenter(nn.Module):
    """Classes of pixels [N, C, H, W]."""

    def __init__(self, channels=2, width=2, classes=3):
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, classes, 1)

    def forward(self, image):
        return self.last(torch.tanh(self.first(image)))


class Field(nn.Module):
    """Values on a grid [N, 3, 2] from a branch and a trunk: two real inputs, as of a DeepONet."""

    def __init__(self):
        super().__init__()
        self.branch, self.trunk = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, u, y):
        return torch.tanh(self.branch(u)).unsqueeze(2) * torch.tanh(self.trunk(y)).unsqueeze(2).expand(
            -1, -1, 2
        )


class Gcn(nn.Module):
    """Kipf and Welling's two layers on one graph; the outputs of the nodes that are asked for."""

    def __init__(self, features=3, width=4, classes=3):
        super().__init__()
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, classes)

    def forward(self, nodes, x, edge_index):
        source, target = edge_index
        ones = torch.ones(len(source), dtype=x.dtype)
        degree = torch.ones(len(x), dtype=x.dtype).index_add(0, target, ones)  # 1: the loop at each node
        scale = degree.rsqrt().unsqueeze(1)

        def propagate(h):
            h = scale * h
            return scale * h.index_add(0, target, h[source])

        h = torch.relu(propagate(self.first(x)))
        return propagate(self.second(h))[nodes]


def masked_mean(**arguments):
    return MaskedMean(**arguments)


def tagger(**arguments):
    return Tagger(**arguments)


def segmenter(**arguments):
    return Segmenter(**arguments)


def field(**arguments):
    return Field(**arguments)


def gcn(**arguments):
    return Gcn(**arguments)
