"""Operations whose own second derivative PyTorch lacks or has wrongly, as compositions of others.

Registered where autograd looks them up, so that eager autograd and a trace take the same way.
"""

import torch
import torch.nn.functional as F


def hardsigmoid(x):
    return F.relu6(x + 3) / 6


def rrelu_with_noise(x, noise, lower=1.0 / 8, upper=1.0 / 3, training=False, generator=None):
    if training:
        raise RuntimeError("RReLU draws random slopes in training mode: call .eval() on the module")
    return F.leaky_relu(x, (lower + upper) / 2)


def weight_norm(v, g, dim=0):
    norm = torch.norm_except_dim(v, 2, dim)
    return v * (g / norm), norm


def trace(x):
    return x.diagonal().sum()


def copy(x, source, non_blocking=False):
    return source.to(x.dtype).expand(x.shape)


def in_place(function):
    return lambda x, *args, **kwargs: x.copy_(function(x, *args, **kwargs))


LIBRARY = torch.library.Library("aten", "IMPL")  # the registrations last as long as it
for name, function in {
    "hardsigmoid": hardsigmoid,
    "hardsigmoid_": in_place(hardsigmoid),
    "rrelu_with_noise": rrelu_with_noise,
    "rrelu_with_noise_": in_place(rrelu_with_noise),
    "_weight_norm_interface": weight_norm,
    "trace": trace,  # its own is wrong under the compiler, too (pytorch #190855)
    "copy": copy,  # what is left of copy_ in a graph without in-place operations
}.items():
    LIBRARY.impl(name, function, "AutogradCPU")
