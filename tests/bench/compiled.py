"""Cost of compiled products in gradients of the same module by eager PyTorch: float32, one thread.

    python tests/bench/compiled.py [small] [transformer] [mlp]

Exports each module, compiles it (minutes), and runs its functions and the eager gradient in turns, so that
a slow moment of the machine meets both alike; prints medians over the rounds of each ratio.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "stages" / "scripts")]

import export_products  # noqa: E402

from ritzflow.export.module import data, modules  # noqa: E402
from ritzflow.export.module.inputs import typed  # noqa: E402
from ritzflow.export.trace import verify  # noqa: E402
from tests.models import own_models  # noqa: E402

ROUNDS = 9


def tokens(vocabulary, context, samples):
    x = np.random.default_rng(0).integers(0, vocabulary, (samples, context))
    return data.Samples(x, x, None, "language_modeling", vocabulary)


def images(features, classes, samples):
    random = np.random.default_rng(0)
    x = random.standard_normal((samples, features)).astype("f4")
    return data.Samples(x, random.integers(0, classes, samples), None, "classification", classes)


PROBLEMS = {
    "small": (
        lambda: own_models.transformer(vocabulary=96, width=64, heads=4, context=32, layers=2),
        lambda: tokens(96, 32, 8),
    ),
    "transformer": (
        lambda: own_models.transformer(vocabulary=96, width=256, heads=4, context=128, layers=4, ratio=4),
        lambda: tokens(96, 128, 8),
    ),
    "mlp": (lambda: own_models.mlp(features=784, hidden=1024, outputs=10), lambda: images(784, 10, 512)),
}


def seconds(work) -> float:
    """Of the processor: other work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def eager_gradient(model, x, y):
    parameters = list(model.module.parameters())

    def gradient():
        z = model.logits(model.module(x))
        return torch.autograd.grad(torch.nn.functional.cross_entropy(z, y), parameters)

    return gradient


def prepared(module, samples, packages):
    """The compiled functions of a module with every slot filled, and its eager gradient."""
    model = modules.Model(module, "bench")
    count = len(samples.inputs)
    options = {
        "loss": "cross_entropy",
        "micro_batch": count,
        "compile": "aoti",
        "packages": packages,
        "verify": "float64",
        "class_axis": None,
    }
    exporter = export_products.Exporter(
        model, samples, SimpleNamespace(**options, products=["ggn", "hessian"])
    )
    key = exporter.write("float32", exporter.verified())
    _, functions, runner = exporter.split(torch.float32)
    functions = {name: f for name, f in functions.items() if not name.startswith("taps")}
    compiled = verify.CompiledRunner(functions, runner.slots, packages / key)
    compiled.slots |= typed(exporter.x, torch.float32)
    for name in ("primal", "hvp_primal", "hvp_jvp"):
        compiled.run(name)
    for p in model.module.parameters():
        p.requires_grad_()
    return compiled, eager_gradient(model, compiled.slots["x"], exporter.y)


def measure(name: str, packages: Path) -> None:
    make, samples = PROBLEMS[name]
    module = make()
    compiled, gradient = prepared(module, samples(), packages)
    groups = {
        "gradient": ("primal", "vjp"),
        "ggn_kept": ("jvp", "vjp"),
        "ggn_fresh": ("primal", "jvp", "vjp"),
        "hessian_kept": ("hvp_jvp", "hvp_vjp"),
        "hessian_fresh": ("primal", "hvp_primal", "hvp_jvp", "hvp_vjp"),
    }
    ratios = {group: [] for group in groups}
    for round_number in range(-1, ROUNDS):
        base = seconds(gradient)
        for group, names in groups.items():
            time_of_group = seconds(lambda names=names: [compiled.run(function) for function in names])
            if round_number >= 0:
                ratios[group].append(time_of_group / base)
    count = sum(p.numel() for p in module.parameters())
    print(f"{name}: {count} parameters; in eager gradients of PyTorch:")
    for group, values in ratios.items():
        print(f"  {group:<16}{statistics.median(values):6.2f}")


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or PROBLEMS:
            measure(name, Path(folder))


if __name__ == "__main__":
    main()
