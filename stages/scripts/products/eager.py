"""What the traced products are compared with: eager autograd on the module, and finite differences of it."""

import torch
import torch.nn.functional as F
from script_cli import InputError, Refusal, nearest
from torch.nn.attention import SDPBackend, sdpa_kernel

from products.modules import Model
from products.trace import logits_of


def cross_entropy(z, y):
    return F.cross_entropy(z, y, reduction="none")


def values(z, y):
    """Targets as values [rows, C]; labels become unit vectors where there are several classes."""
    if not y.is_floating_point() and z.shape[1] > 1:
        y = F.one_hot(y, z.shape[1])
    return y.to(z.dtype).reshape(z.shape)


def mse(z, y):
    return 0.5 * ((z - values(z, y)) ** 2).sum(1)


def bce(z, y):
    return F.binary_cross_entropy_with_logits(z, values(z, y), reduction="none").sum(1)


LOSSES = {"cross_entropy": cross_entropy, "mse": mse, "bce": bce}
SPELLINGS = {"language_modeling": "cross_entropy"}  # of next tokens, masked by the data


def loss_name(word: str) -> str:
    """The name that model.h5 keeps for `--loss`. Raises InputError on another word."""
    if SPELLINGS.get(word, word) not in LOSSES:
        known = [*LOSSES, *SPELLINGS]
        raise InputError(f"--loss: unknown loss '{word}'; known: {', '.join(known)}{nearest(word, known)}")
    return SPELLINGS.get(word, word)


def eager_products(model: Model, loss: str, x, y, weights, v) -> dict[str, list[torch.Tensor]]:
    """Gradient, Hessian and Gauss-Newton product of sum_i w_i l(z_i, y_i), and what they go through."""
    parameters = [p for _, p in model.module.named_parameters()]
    for p in parameters:
        p.requires_grad_()

    def gradients(output, inputs, cotangent=None):
        return torch.autograd.grad(
            output, inputs, cotangent, create_graph=True, allow_unused=True, materialize_grads=True
        )

    with sdpa_kernel(SDPBackend.MATH):
        z = logits_of(model.module(x))
        if not torch.isfinite(z).all():
            raise Refusal(f"{model.origin}: the logits hold NaN or infinity on the first samples of the data")
        value = (weights * LOSSES[loss](z, y)).sum()
        g = gradients(value, parameters)
        hessian = gradients(g, parameters, v)
        cotangent = torch.zeros_like(z, requires_grad=True)
        (u,) = gradients(gradients(z, parameters, cotangent), cotangent, v)
        logits = z.detach().requires_grad_()
        (r,) = gradients((weights * LOSSES[loss](logits, y)).sum(), logits)
        (s,) = gradients(r, logits, u.detach())
        gauss_newton = gradients(z, parameters, s)
    found = {"z": [z], "gradient": g, "hessian": hessian, "ggn": gauss_newton, "r": [r], "s": [s], "u": [u]}
    return {name: [t.detach() for t in tensors] for name, tensors in found.items()}


def finite_differences(model: Model, loss: str, x, y, weights, v, step: float):
    """Central differences along v of the logits and the loss gradient: J v, H v by first derivatives alone.

    `step` is the length of the step relative to theta's. Some operations have a silently wrong second
    derivative, which eager autograd and a trace of it share.
    """
    parameters = [p for _, p in model.module.named_parameters()]
    length = torch.stack([p.detach().norm() for p in parameters]).norm().clamp(min=1)
    epsilon = step * float(length / torch.stack([t.norm() for t in v]).norm())

    def at(sign: int) -> list[torch.Tensor]:
        with torch.no_grad():
            for p, t in zip(parameters, v):
                p.add_(t, alpha=sign * epsilon)
        with sdpa_kernel(SDPBackend.MATH):
            z = logits_of(model.module(x))
            value = (weights * LOSSES[loss](z, y)).sum()
            g = torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            for p, t in zip(parameters, v):
                p.sub_(t, alpha=sign * epsilon)
        return [z.detach(), *g]

    u, *h = ((ahead - behind) / (2 * epsilon) for ahead, behind in zip(at(1), at(-1)))
    return u, h
