#!/usr/bin/env python3
"""Hessian and Gauss-Newton products side by side with other programs: the same weights, data and vector.

    peers/bin/python tests/bench/peers.py [--bin build/bin] [--rounds 9]

The data set is cut into 8 micro-batches; float32, one thread, the least processor seconds of all rounds,
since other work on the machine only adds to them. A gradient is PyTorch's over the same micro-batches.
`error` is the relative distance from our product; above 1e-4, plain double backward decides who is wrong, and
the run fails where that is not the other program. PyHessian keeps the graph of a single batch: it runs on the
first one, against ours on that one.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import h5py
import torch
from curvlinops import GGNLinearOperator, HessianLinearOperator
from hessian_eigenthings.operators.ggn import GGNOperator
from hessian_eigenthings.operators.hessian import HessianOperator
from kfac_peers import cnn, mlp, processor_seconds, transformer, write
from pyhessian import hessian as pyhessian
from pyhessian.utils import hessian_vector_product
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
BATCHES = 8
LIMIT = 1e-4


def timed(work, rounds):
    """Least processor seconds of `rounds` calls after one that is not counted, and the last result."""
    work()
    seconds = []
    for _ in range(rounds):
        spent, result = processor_seconds(work)
        seconds.append(spent)
    return min(seconds), result


def gradient(model, loss, batches):
    parameters = list(model.parameters())

    def work():
        total = [torch.zeros_like(p) for p in parameters]
        for x, y in batches:
            for sum_, g in zip(total, torch.autograd.grad(loss(model(x), y), parameters), strict=True):
                sum_ += g / len(batches)

    return work


def our_product(binaries, folder, operator, batch_size, rounds):
    """Least seconds, the vector and its product, by our stage."""
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "operator.h5")
    flags = ("--operator", operator, "--batch-size", batch_size, "--threads", 1, "--quiet")
    subprocess.run([*map(str, (binaries / "build-operator", *files, *flags))], check=True)
    call = (binaries / "time-products", folder / "operator.h5", folder / "out.h5", rounds)
    subprocess.run([*map(str, call)], check=True, stderr=subprocess.DEVNULL)
    with h5py.File(folder / "out.h5") as file:
        seconds = min(file["seconds"][:])
        return seconds, *(torch.from_numpy(file[name][:]).float() for name in ("vector", "product"))


def split(model, v):
    parts = v.split([p.numel() for p in model.parameters()])
    return [part.view_as(p) for part, p in zip(parts, model.parameters(), strict=True)]


def theirs(operator, model, loss, batches, v):
    """Name -> function that computes the product with v over all micro-batches."""
    parameters = list(model.parameters())

    def loss_fn(module, batch):
        return loss(module(batch[0]), batch[1])

    def forward(module, batch):
        return module(batch[0])

    def loss_of_output(z, batch):
        return loss(z, batch[1])

    if operator == "hessian":
        curvlinops = HessianLinearOperator(model, loss, parameters, batches, check_deterministic=False)
        eigenthings = HessianOperator(model, batches, loss_fn)
    else:
        curvlinops = GGNLinearOperator(model, loss, parameters, batches, check_deterministic=False)
        eigenthings = GGNOperator(model, batches, forward, loss_of_output)
    return {"curvlinops": lambda: curvlinops @ v, "eigenthings": lambda: eigenthings.matvec(v)}


def with_kept_graph(model, loss, batch, v):
    """PyHessian on one batch: it keeps the gradient's graph between products."""
    peer = pyhessian(model, loss, data=batch, cuda=False)
    direction = split(model, v)

    def product():
        return torch.cat([g.reshape(-1) for g in hessian_vector_product(peer.gradsH, peer.params, direction)])

    return {"PyHessian": product}


def double_backward(model, loss, batches, v):
    """H v by PyTorch's autograd alone."""
    parameters = list(model.parameters())
    mean = sum(loss(model(x), y) for x, y in batches) / len(batches)
    g = torch.autograd.grad(mean, parameters, create_graph=True)
    return torch.cat([h.reshape(-1) for h in torch.autograd.grad(g, parameters, split(model, v))])


def distance(a, b):
    return float((a.reshape(-1) - b).norm() / b.norm())


def line(labels, seconds, unit, ours, error=0.0, note=""):
    model, operator, name = labels
    text = f"{model:<12} {operator:<9} {name:<12} {seconds / unit:>9.2f} {seconds / ours:>9.2f} {error:>9.1e}"
    print(f"{text} {note}".rstrip(), flush=True)


def side_by_side(binaries, rounds, folder, labels, problem, peers):
    """A line for each program; whether each agrees with ours, or is itself the wrong one."""
    model, loss, batches = problem
    unit, _ = timed(gradient(model, loss, batches), rounds)
    operator = "ggn" if labels[1] == "ggn" else "hessian"
    ours, v, expected = our_product(binaries, folder, operator, len(batches[0][0]), rounds)
    line((*labels, "ritzflow"), ours, unit, ours)
    agree = True
    for peer, product in peers(v).items():
        seconds, result = timed(product, rounds)
        error, note = distance(result, expected), ""
        if error > LIMIT:
            truth = double_backward(model, loss, batches, v) if operator == "hessian" else result.reshape(-1)
            agree &= distance(expected, truth) <= LIMIT
            note = f"off by {distance(result, truth):.1e}, ours by {distance(expected, truth):.1e}"
        line((*labels, peer), seconds, unit, ours, error, note)
    return agree


def run(binaries, rounds, name):
    torch.manual_seed(0)
    model, names, architecture, inputs, targets, task = MODELS[name]()
    loss, size = nn.CrossEntropyLoss(), len(inputs) // BATCHES
    batches = list(zip(inputs.split(size), targets.split(size), strict=True))
    agree = True
    with tempfile.TemporaryDirectory() as text, sdpa_kernel(SDPBackend.MATH):
        folder = Path(text)
        write(folder, names, model, architecture, inputs, targets, task)
        for operator in ("hessian", "ggn"):
            peers = partial(theirs, operator, model, loss, batches)
            agree &= side_by_side(binaries, rounds, folder, (name, operator), (model, loss, batches), peers)
        write(folder, names, model, architecture, *batches[0], task)
        peers = partial(with_kept_graph, model, loss, batches[0])
        agree &= side_by_side(
            binaries, rounds, folder, (name, "one batch"), (model, loss, batches[:1]), peers
        )
    return agree


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    print(f"{'model':<12} {'operator':<9} {'program':<12} {'gradients':>9} {'x ours':>9} {'error':>9}")
    agree = [run(options.bin, options.rounds, name) for name in options.models]
    if not all(agree):
        sys.exit(f"error: products differ by more than {LIMIT:g}")


if __name__ == "__main__":
    main()
