"""Losses as users write them; for `--loss tests.models.own_losses:NAME`."""

import torch
import torch.nn.functional as F
from torch import nn

WEIGHTS = torch.tensor([1.0, 2.0, 0.5])

class_weights = nn.CrossEntropyLoss(weight=WEIGHTS, reduction="none")
smoothed = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none")
mean = nn.CrossEntropyLoss()


def soft_targets(outputs, targets):
    return F.cross_entropy(outputs, targets.softmax(1), reduction="none")


class FocalLoss(nn.Module):
    def __init__(self, alpha=WEIGHTS, gamma=2.0):
        super().__init__()
        self.register_buffer("alpha", alpha)
        self.gamma = gamma

    def forward(self, outputs, targets):
        ce = F.cross_entropy(outputs, targets, reduction="none")
        return self.alpha[targets] * (1 - torch.exp(-ce)) ** self.gamma * ce


def focal():
    return FocalLoss()


def huber_loss(outputs, targets):
    return F.huber_loss(outputs, targets, reduction="none", delta=0.8).sum(1)


def absolute(outputs, targets):
    return (outputs - targets).abs().sum(1)


def robust(outputs, targets):
    """Geman and McClure's: no further off costs more than 1."""
    square = (outputs - targets).square()
    return (square / (1 + square)).sum(1)


def poisson(outputs, targets):
    return F.poisson_nll_loss(outputs, targets.exp(), reduction="none").mean(1)


def gaussian(outputs, targets):
    mean, log_variance = outputs.chunk(2, dim=1)
    return F.gaussian_nll_loss(mean, targets, log_variance.exp(), reduction="none").sum(1)


def two_outputs(outputs, targets):
    mean, variance = outputs
    return nn.GaussianNLLLoss(reduction="none")(mean, targets, variance).sum(1)


def multi_margin(outputs, targets):
    return F.multi_margin_loss(outputs, targets, p=2, margin=4.0, reduction="none")


def quantiles(outputs, targets):
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=outputs.dtype)
    gaps = targets[:, :1] - outputs
    return torch.maximum(levels * gaps, (levels - 1) * gaps).sum(1)


def ordinal(outputs, targets):
    """Cumulative logits: output k says how far the class lies above k."""
    above = (targets[:, None] > torch.arange(outputs.shape[1])).to(outputs.dtype)
    return F.binary_cross_entropy_with_logits(outputs, above, reduction="none").sum(1)


def tokens(outputs, targets):
    """Focal loss of every token, outputs [N, T, C]."""
    ce = F.cross_entropy(outputs.transpose(1, 2), targets, reduction="none")
    return (1 - torch.exp(-ce)) ** 2 * ce


def sentences(outputs, targets):
    """One loss a sequence, which couples its tokens."""
    ce = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
    return ce.reshape(targets.shape).mean(1).square()


def ctc(outputs, targets):
    length = torch.full((len(outputs),), outputs.shape[1])
    logs = outputs.log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(logs, targets[:, :2], length, torch.full_like(length, 2), blank=0, reduction="none")


def elementwise(outputs, targets):
    return F.mse_loss(outputs, targets, reduction="none")


def batch_statistics(outputs, targets):
    ce = F.cross_entropy(outputs, targets, reduction="none")
    return ce / ce.detach().mean()


def broadcast(outputs, targets):
    return (outputs - targets).square().sum(1)


def cut_off(outputs, targets):
    ce = F.cross_entropy(outputs, targets, reduction="none")
    return (1 - torch.exp(-ce.detach())) * ce


def single_precision(outputs, targets):
    return F.cross_entropy(outputs, targets, weight=WEIGHTS, reduction="none")


def single_precision_of_labels(outputs, targets):
    return WEIGHTS[targets] * F.cross_entropy(outputs, targets, reduction="none")


def asks_for_values(outputs, targets):
    return (outputs - targets).square().sum(1) if outputs.sum() > 0 else outputs.sum(1)


def random(outputs, targets):
    return F.dropout(outputs, 0.5).sum(1)


# Objectives: (module, inputs, targets) -> losses [N], for `--objective`.


def oscillator(module, inputs, targets):
    """u'' + u = y and u(0) = 1 by derivatives with respect to the input, as tutorials write them."""
    t = inputs.requires_grad_()
    u = module(t)
    first = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    second = torch.autograd.grad(first, t, torch.ones_like(first), create_graph=True)[0]
    start = module(torch.zeros_like(t[:1]))
    return (second + u - targets).square().squeeze(1) + (start - 1).square().squeeze()


def oscillator_by_func(module, inputs, targets):
    """The same with torch.func."""
    parameters = dict(module.named_parameters())

    def u(t):
        return torch.func.functional_call(module, parameters, (t.unsqueeze(0),)).squeeze()

    second = torch.func.vmap(lambda t: torch.func.grad(lambda s: torch.func.grad(u)(s).sum())(t))(inputs)
    start = module(torch.zeros_like(inputs[:1]))
    return (second + module(inputs) - targets).square().squeeze(1) + (start - 1).square().squeeze()


def decayed(module, inputs, targets):
    """A penalty on all parameters as a term of every sample."""
    penalty = sum(p.square().sum() for p in module.parameters())
    return F.cross_entropy(module(inputs), targets, reduction="none") + 0.05 * penalty


def energy_and_force(module, inputs, targets):
    """Energy in the first column of the targets, forces in the others."""
    x = inputs.clone().requires_grad_(True)
    energy = module(x)
    (slope,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
    return (energy - targets[:, :1]).square().sum(1) + 0.1 * (slope + targets[:, 1:]).square().sum(1)


def unrolled(module, inputs, targets):
    """A neural differential equation, four steps of Euler."""
    h = inputs
    for _ in range(4):
        h = h + 0.25 * module(h)
    return (h - targets).square().sum(1)


def triplets(module, inputs, targets):
    """Each sample against its nearest of the same class and of the others, in the whole batch."""
    h = module(inputs)
    apart = (h[:, None] - h[None]).square().sum(2)
    same = targets[:, None] == targets
    near = (apart * (~same)).masked_fill(same, torch.inf).amin(1)
    far = apart.masked_fill(~same, 0).amax(1)
    return F.softplus(far - near)


def contrast(module, inputs, targets):
    """Each sample's first view against the second views of all (InfoNCE)."""
    first, second = (F.normalize(module(view), dim=1) for view in (inputs, inputs.roll(1, 1)))
    return F.cross_entropy(first @ second.T / 0.2, torch.arange(len(first)), reduction="none")


def mean_of_batch(module, inputs, targets):
    return F.cross_entropy(module(inputs), targets)
