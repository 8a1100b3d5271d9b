#!/usr/bin/env python3
"""Compiled products of PyTorch modules side by side with other programs, as tests/bench/peers.py does.

    peers/bin/python tests/bench/compiled_peers.py [--models small transformer] [--compile aoti] [--rounds 9]

The modules are those of tests/models, with untied embeddings: with tied ones the Gauss-Newton products of
other programs differ from ours, and ours from its dense matrix does not. Ours runs through
export_products.py (minutes of compilation), build-operator and time-products, theirs on the module itself.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import h5py
import torch
from peers import BATCHES, ROOT, side_by_side, theirs, with_kept_graph
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(ROOT))

from tests.models import own_models

VOCABULARY = 96
# Keyword arguments of own_models.transformer, and tokens of a sequence.
MODELS = {
    "small": {"width": 64, "heads": 4, "context": 32, "layers": 2, "ratio": 4},
    "transformer": {"width": 256, "heads": 4, "context": 128, "layers": 4, "ratio": 4},
}


class ClassesSecond(nn.Module):
    """Logits as CrossEntropyLoss wants them."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, tokens):
        return self.module(tokens).transpose(1, 2)


def export(folder, arguments, module, batches, compile_how):
    """data.h5 and model.h5 of the module and all batches, with a package for one batch."""
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    with h5py.File(folder / "data.h5", "w") as f:
        attributes = {"format": "ritzflow-data", "format_version": "1.0", "task": "language_modeling"}
        f.attrs.update(attributes | {"num_classes": VOCABULARY})
        f["inputs"], f["targets"] = inputs.numpy(), targets.numpy()
    torch.save(module.state_dict(), folder / "weights.pt")
    command = [ROOT / ".venv/bin/python", ROOT / "stages/scripts/export_products.py"]
    command += ["--module", "tests.models.own_models:transformer", "--kwargs", json.dumps(arguments)]
    command += ["--weights", folder / "weights.pt", "--data", folder / "data.h5", "--compile", compile_how]
    command += ["--micro-batch", len(batches[0][0]), "--products", "ggn", "hessian"]
    command += ["--packages", folder.parent / "packages", "--out", folder / "model.h5"]
    subprocess.run([*map(str, command)], check=True, cwd=ROOT)


def run(options, place, name):
    torch.manual_seed(0)
    arguments = MODELS[name] | {"vocabulary": VOCABULARY, "tied": False}
    module = own_models.transformer(**arguments)
    model, loss = ClassesSecond(module), nn.CrossEntropyLoss()
    shape = (BATCHES, options.batch_size, arguments["context"])
    batches = list(zip(*(torch.randint(VOCABULARY, shape) for _ in range(2)), strict=True))
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters")
    agree = True
    with sdpa_kernel(SDPBackend.MATH):
        for part, cases in (("all", ("hessian", "ggn")), ("first", ("one batch",))):
            folder = place / f"{name}-{part}"
            folder.mkdir()
            used = batches if part == "all" else batches[:1]
            export(folder, arguments, module, used, options.compile)
            for case in cases:
                peers = (
                    partial(with_kept_graph, model, loss, batches[0])
                    if case == "one batch"
                    else partial(theirs, case, model, loss, batches)
                )
                problem = (model, loss, used)
                agree &= side_by_side(options.bin, options.rounds, folder, (name, case), problem, peers)
    return agree


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=4, help="sequences of a micro-batch")
    parser.add_argument("--compile", choices=["aoti", "none"], default="aoti")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    print(f"{'model':<12} {'operator':<9} {'program':<12} {'gradients':>9} {'x ours':>9} {'error':>9}")
    with tempfile.TemporaryDirectory() as place:
        agree = [run(options, Path(place), name) for name in options.models]
    if not all(agree):
        sys.exit("error: products differ")


if __name__ == "__main__":
    main()
