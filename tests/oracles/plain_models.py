"""The built-in networks of ritzflow, written again in plain PyTorch from their documentation.

A model is a list of (name, shape) in the order of the flat vector, and a function of a dict of tensors.
"""

import math

import torch

ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "identity": lambda x: x,
}


def _linear(name, inputs, outputs, bias=True):
    return [(f"{name}.weight", (outputs, inputs))] + ([(f"{name}.bias", (outputs,))] if bias else [])


def _norm(name, width):
    return [(f"{name}.weight", (width,)), (f"{name}.bias", (width,))]


def _apply_linear(p, name, x):
    y = x @ p[f"{name}.weight"].T
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def _layer_norm(p, name, x):
    """Layer norm from its definition, so that no fused kernel is part of the reference."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def _group_norm(p, name, x, groups):
    n, c, h, w = x.shape
    grouped = x.reshape(n, groups, -1)
    centred = grouped - grouped.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    y = (centred / torch.sqrt(variance + 1e-5)).reshape(n, c, h, w)
    return y * p[f"{name}.weight"].view(1, c, 1, 1) + p[f"{name}.bias"].view(1, c, 1, 1)


def mlp(arch, input_shape, outputs):
    widths = [math.prod(input_shape), *arch["hidden"], outputs]
    layers = [f"layers.{i}" for i in range(len(widths) - 1)]
    shapes = []
    for name, a, b in zip(layers, widths, widths[1:]):
        shapes += _linear(name, a, b, arch.get("bias", True))
    act = ACTIVATIONS[arch.get("activation", "tanh")]

    def forward(p, x):
        h = x.flatten(1)
        for name in layers[:-1]:
            h = act(_apply_linear(p, name, h))
        return _apply_linear(p, layers[-1], h)

    return shapes, forward


def cnn(arch, input_shape, outputs):
    channels, height, width = input_shape
    act = ACTIVATIONS[arch["activation"]]
    grouped, pooling = arch.get("norm") == "group", arch["pooling"]
    shapes, pooled = [], []
    for i, out in enumerate(arch["channels"]):
        shapes += [(f"blocks.{i}.conv.weight", (out, channels, 3, 3)), (f"blocks.{i}.conv.bias", (out,))]
        shapes += _norm(f"blocks.{i}.norm", out) if grouped else []
        pooled.append(pooling != "none" and min(height, width) >= 2)
        channels, height, width = (
            out,
            height // (2 if pooled[-1] else 1),
            width // (2 if pooled[-1] else 1),
        )
    shapes += _linear("head", channels * height * width, outputs)
    pool = torch.nn.functional.max_pool2d if pooling == "max" else torch.nn.functional.avg_pool2d

    def forward(p, x):
        for i, halve in enumerate(pooled):
            x = torch.nn.functional.conv2d(
                x, p[f"blocks.{i}.conv.weight"], p[f"blocks.{i}.conv.bias"], padding=1
            )
            x = act(_group_norm(p, f"blocks.{i}.norm", x, arch["groups"]) if grouped else x)
            x = pool(x, 2) if halve else x
        return _apply_linear(p, "head", x.flatten(1))

    return shapes, forward


def transformer(arch, input_shape, outputs):
    (context,), vocabulary, d, heads = input_shape, outputs, arch["d_model"], arch["heads"]
    inner = d * arch.get("mlp_ratio", 4)
    shapes = [("token_embedding.weight", (vocabulary, d)), ("position_embedding.weight", (context, d))]
    for i in range(arch["layers"]):
        b = f"blocks.{i}"
        shapes += _norm(f"{b}.ln_1", d) + _linear(f"{b}.attn.qkv", d, 3 * d) + _linear(f"{b}.attn.proj", d, d)
        shapes += (
            _norm(f"{b}.ln_2", d) + _linear(f"{b}.mlp.fc", d, inner) + _linear(f"{b}.mlp.proj", inner, d)
        )
    shapes += _norm("ln_f", d)
    tied = arch.get("tie_embeddings", True)
    shapes += [] if tied else [("head.weight", (vocabulary, d))]
    act = ACTIVATIONS[arch.get("activation", "gelu")]

    def attention(p, name, x):
        n, t, _ = x.shape
        q, k, v = (
            part.reshape(n, t, heads, d // heads) for part in _apply_linear(p, f"{name}.qkv", x).split(d, -1)
        )
        scores = torch.einsum("nihd,njhd->nhij", q, k) / math.sqrt(d // heads)
        causal = torch.tril(torch.ones(t, t, dtype=torch.bool))
        weights = torch.where(causal, torch.exp(scores - scores.amax(-1, keepdim=True).detach()), 0.0)
        mixed = torch.einsum("nhij,njhd->nihd", weights / weights.sum(-1, keepdim=True), v)
        return _apply_linear(p, f"{name}.proj", mixed.reshape(n, t, d))

    def forward(p, tokens):
        h = p["token_embedding.weight"][tokens] + p["position_embedding.weight"][: tokens.shape[1]]
        for i in range(arch["layers"]):
            b = f"blocks.{i}"
            h = h + attention(p, f"{b}.attn", _layer_norm(p, f"{b}.ln_1", h))
            inside = act(_apply_linear(p, f"{b}.mlp.fc", _layer_norm(p, f"{b}.ln_2", h)))
            h = h + _apply_linear(p, f"{b}.mlp.proj", inside)
        head = p["token_embedding.weight"] if tied else p["head.weight"]
        return (_layer_norm(p, "ln_f", h) @ head.T).flatten(0, 1)

    return shapes, forward


KINDS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
