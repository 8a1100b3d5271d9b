"""Networks on sets and graphs: DeepSets, PointNet with a maximum over points, attention over neighbours."""

import torch
import torch.nn.functional as F
from torch import nn


class DeepSets(nn.Module):
    def __init__(self, features=2, width=4, classes=3):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(features, width), nn.ELU(inplace=True), nn.Linear(width, width))
        self.rho = nn.Sequential(nn.Linear(width, width), nn.ELU(inplace=True), nn.Linear(width, classes))

    def forward(self, points):
        return self.rho(self.phi(points).sum(dim=-2))


class PointNet(nn.Module):
    """Points [N, P, 2] turned by a matrix that they give themselves; convolutions of width one."""

    def __init__(self, width=3, classes=3):
        super().__init__()
        self.turn = nn.Sequential(nn.Conv1d(2, width, 1), nn.BatchNorm1d(width), nn.ReLU())
        self.matrix = nn.Linear(width, 4)
        self.conv, self.bn = nn.Conv1d(2, width, 1), nn.BatchNorm1d(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, points):
        x = points.transpose(2, 1)
        matrix = self.matrix(torch.max(self.turn(x), 2)[0]).view(-1, 2, 2) + torch.eye(2, dtype=x.dtype)
        x = torch.bmm(points, matrix).transpose(2, 1)
        return self.fc(torch.max(F.relu(self.bn(self.conv(x))), 2, keepdim=True)[0].view(-1, 3))


class GraphAttention(nn.Module):
    """Attention over neighbours on a graph that all samples share; outputs of the nodes asked for."""

    def __init__(self, features=3, width=2, heads=2, classes=3):
        super().__init__()
        self.heads, self.width = heads, width
        self.linear = nn.Linear(features, heads * width, bias=False)
        self.source = nn.Parameter(torch.randn(heads, width))
        self.target = nn.Parameter(torch.randn(heads, width))
        self.out = nn.Linear(heads * width, classes)

    def forward(self, nodes, x, edge_index):
        source, target = edge_index
        h = self.linear(x).view(-1, self.heads, self.width)
        scores = (h * self.source).sum(2)[source] + (h * self.target).sum(2)[target]
        scores = F.leaky_relu(scores, 0.2)
        top = torch.full((len(x), self.heads), -torch.inf, dtype=x.dtype)
        index = target.unsqueeze(1).expand_as(scores)
        top = top.scatter_reduce(0, index, scores, "amax").detach()
        shares = torch.exp(scores - top[target])
        total = torch.zeros(len(x), self.heads, dtype=x.dtype).index_add(0, target, shares)
        messages = h[source] * (shares / total[target]).unsqueeze(2)
        h = torch.zeros_like(h).index_add(0, target, messages)
        return self.out(F.elu(h.flatten(1)))[nodes]
