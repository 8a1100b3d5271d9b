#!/usr/bin/env python3
"""K-FAC and EKFAC side by side with curvlinops: the same weights, data and matrix (type 2, expand).

    PEERS/bin/python tests/bench/kfac_peers.py [--bin build/bin] [--dtype float64]

Both run in one thread; times are of the processor, so that other programs on the machine do not count.
`error` is the largest relative difference of products with random vectors, over the layers that both know
(curvlinops: linear and convolution). Of tokens, curvlinops sends all terms of a sample back at once:
`--token-terms sum`.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
import torch
from curvlinops import EKFACLinearOperator, KFACLinearOperator
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(d)  # in the order of the built-in transformer
        self.attn = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d), "proj": nn.Linear(d, d)})
        self.ln_2 = nn.LayerNorm(d)
        self.mlp = nn.ModuleDict({"fc": nn.Linear(d, 4 * d), "proj": nn.Linear(4 * d, d)})

    def forward(self, h):
        n, t, d = h.shape
        q, k, v = self.attn["qkv"](self.ln_1(h)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.attn["proj"](y.transpose(1, 2).reshape(n, t, d))
        return h + self.mlp["proj"](nn.functional.gelu(self.mlp["fc"](self.ln_2(h))))


class Transformer(nn.Module):
    def __init__(self, vocabulary, context, d, layers, heads):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, d)
        self.position_embedding = nn.Embedding(context, d)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.ln_f, self.head = nn.LayerNorm(d), nn.Linear(d, vocabulary, bias=False)

    def forward(self, tokens):
        h = self.token_embedding(tokens) + self.position_embedding.weight
        for block in self.blocks:
            h = block(h)
        return self.head(self.ln_f(h)).transpose(1, 2)  # CrossEntropyLoss wants classes second


def mlp():
    widths = [784, 512, 512, 10]
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    model = nn.Sequential(
        *[m for i, layer in enumerate(layers) for m in ([nn.Tanh()] if i else []) + [layer]]
    )
    names = {str(2 * i): f"layers.{i}" for i in range(len(layers))}
    architecture = {"kind": "mlp", "hidden": widths[1:-1], "activation": "tanh"}
    return model, names, architecture, torch.randn(1024, 784), torch.randint(10, (1024,)), "classification"


def cnn():
    convolutions = [nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)]
    blocks = [m for c in convolutions for m in (c, nn.ReLU(), nn.MaxPool2d(2))]
    model = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
    names = {"0": "blocks.0.conv", "3": "blocks.1.conv", "7": "head"}
    architecture = {
        "kind": "cnn",
        "channels": [16, 32],
        "norm": "none",
        "pooling": "max",
        "activation": "relu",
    }
    return (
        model,
        names,
        architecture,
        torch.randn(512, 1, 28, 28),
        torch.randint(10, (512,)),
        "classification",
    )


def transformer():
    model = Transformer(vocabulary=32, context=32, d=256, layers=2, heads=4)
    architecture = {"kind": "transformer", "layers": 2, "heads": 4, "d_model": 256, "tie_embeddings": False}
    inputs, targets = torch.randint(32, (32, 32)), torch.randint(32, (32, 32))
    return model, {}, architecture, inputs, targets, "language_modeling"


def write(folder, names, model, architecture, inputs, targets, task):
    """data.h5 and model.h5 of the same point; `names` maps the module's names to the engine's."""
    with h5py.File(folder / "data.h5", "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": task})
        f.attrs["num_classes"] = 32 if task == "language_modeling" else 10
        f["inputs"], f["targets"] = inputs.numpy(), targets.numpy()
    parameters = {}
    for name, values in model.named_parameters():
        module, _, last = name.rpartition(".")
        parameters[f"{names.get(module, module)}.{last}"] = values.detach().numpy()
    spec = {"architecture": architecture, "training": {"steps": 1, "learning_rate": 0.1, "batch_size": 32}}
    with h5py.File(folder / "model.h5", "w") as f:
        f.attrs.update(
            {"format": "ritzflow-model", "format_version": "1.0", "seed": 0, "spec": json.dumps(spec)}
        )
        f.attrs["parameter_order"] = list(parameters)
        for name, values in parameters.items():
            f[f"steps/00000000/{name}"] = values


def processor_seconds(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def theirs(kind, model, layers, inputs, targets, batch_size):
    """Their operator over `layers`, and the seconds of collection and of a product."""
    parameters = [p for layer in layers for p in layer.parameters()]
    batches = list(zip(inputs.split(batch_size), targets.split(batch_size)))

    def collect():
        op = kind(
            model,
            nn.CrossEntropyLoss(),
            parameters,
            batches,
            fisher_type="type-2",
            check_deterministic=False,
            separate_weight_and_bias=False,
            num_data=len(inputs),
            num_per_example_loss_terms=targets[0].numel(),
        )
        op.compute_kronecker_factors()
        if kind is EKFACLinearOperator:
            op.compute_eigenvalue_correction()
        return op

    collection, op = processor_seconds(collect)
    v = [torch.ones_like(p) for p in parameters]
    product = statistics.median(processor_seconds(lambda: op @ v)[0] for _ in range(ROUNDS))
    return op, collection, product


def our_product(layer, ekfac, weight, bias):
    """G W A of a layer of kfac.h5, or its EKFAC form."""
    u_a, u_g = layer["a_eigenvectors"][:], layer["g_eigenvectors"][:]
    w = weight.reshape(len(u_g), -1)
    w = w if bias is None else np.concatenate([w, bias[:, None]], 1)
    scale = (
        layer["ekfac_eigenvalues"][:]
        if ekfac
        else np.outer(layer["g_eigenvalues"][:], layer["a_eigenvalues"][:])
    )
    return u_g @ (scale * (u_g.T @ w @ u_a)) @ u_a.T


def largest_error(op, ekfac, layers, file):
    """Of products with a random vector, layer by layer."""
    generator = torch.Generator().manual_seed(1)
    v = [
        torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for layer in layers.values()
        for p in layer.parameters()
    ]
    product, at, worst = op @ v, 0, 0.0
    for name, layer in layers.items():
        count = len(list(layer.parameters()))
        given, found = ([x.numpy() for x in xs[at : at + count]] for xs in (v, product))
        ours = our_product(file[f"layers/{name}"], ekfac, given[0], given[1] if count > 1 else None)
        theirs_ = found[0].reshape(len(ours), -1)
        theirs_ = theirs_ if count == 1 else np.concatenate([theirs_, found[1][:, None]], 1)
        worst = max(worst, np.linalg.norm(ours - theirs_) / np.linalg.norm(theirs_))
        at += count
    return worst


def compare(name, problem, stages, dtype, folder):
    torch.manual_seed(0)
    model, names, architecture, inputs, targets, task = problem()
    tokens = task == "language_modeling"
    write(folder, names, model, architecture, inputs, targets, task)
    model = model.to(dtype)
    inputs = inputs if tokens else inputs.to(dtype)
    modules = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    layers = {names.get(n, n): m for n, m in modules.items()}
    word, terms = str(dtype).removeprefix("torch."), "sum" if tokens else "auto"
    files = ["--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "kfac.h5"]
    subprocess.run(
        [stages / "collect-kfac", *files, "--dtype-compute", word, "--token-terms", terms],
        check=True, capture_output=True,
    )  # fmt: skip
    bench = [stages / "kfac", folder / "data.h5", folder / "model.h5", word, terms]
    ours = json.loads(subprocess.run(bench, check=True, capture_output=True, text=True).stdout)
    kinds = {"kfac": KFACLinearOperator} | ({} if tokens else {"ekfac": EKFACLinearOperator})
    batch_size = 512 // targets[0].numel()  # as ours
    for kind, of_theirs in kinds.items():
        op, collection, product = theirs(of_theirs, model, list(layers.values()), inputs, targets, batch_size)
        with h5py.File(folder / "kfac.h5") as file:
            error = largest_error(op, kind == "ekfac", layers, file)
        times = [(ours[kind], collection, 1), (ours[f"{kind}_product"], product, 1e3)]
        columns = "".join(f"{o * unit:>9.2f}{t * unit:>9.2f}{t / o:>8.1f}" for o, t, unit in times)
        print(f"{name:<12}{kind:<7}{error:>9.1e}{columns}")


def main():
    parser = argparse.ArgumentParser(description="K-FAC and EKFAC side by side with curvlinops.")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin", help="folder of the stages")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64", help="of both programs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    print(f"{options.dtype}; seconds of collection, milliseconds of a product; x: theirs / ours")
    print(f"{'':<19}{'error':>9}{'ours':>9}{'theirs':>9}{'x':>8}{'ours':>9}{'theirs':>9}{'x':>8}")
    for name, problem in {"mlp": mlp, "cnn": cnn, "transformer": transformer}.items():
        with tempfile.TemporaryDirectory() as folder:
            compare(name, problem, options.bin.resolve(), getattr(torch, options.dtype), Path(folder))


if __name__ == "__main__":
    main()
