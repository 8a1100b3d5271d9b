#!/usr/bin/env python3
"""Products on 16 images of 3 x 224 x 224 beside other programs: ResNet-18 and a ViT, time and peak memory.

    peers/bin/python tests/bench/image_peers.py [--models resnet18 VitTiny] [--rounds 2] [--micro-batch 4]

Ours runs through export_products.py, build-operator and time-products, theirs on the module in evaluation
mode, each in a process of its own, whose peak memory is shown. float32, one thread, the least processor
seconds of all rounds. With less `--memory`, ours rebuilds what it otherwise keeps between products. `error`:
relative distance from our product. Of Hessians the run fails where plain double backward differs:
curvlinops' products are off by 1e-3 where there are layer norms.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import h5py
import torch
from peers import LIMIT, ROOT, distance, double_backward, gradient, theirs, timed
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(ROOT))

from tests.models import imagenet

SAMPLES = 16


def apart(work):
    """The result of `work` in a process of its own, and that one's peak memory in GB."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(work(), pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        content = pipe.read()
    return pickle.loads(content), peak_of(child)


def peak_of(child: int) -> float:
    """Waits for a process; its peak memory in GB."""
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit("error: a program failed")
    return used.ru_maxrss / 1e6


def run(*command) -> float:
    """Runs a command in the repository; its peak memory in GB."""
    return peak_of(subprocess.Popen([*map(str, command)], cwd=ROOT, stderr=subprocess.DEVNULL).pid)


def export(folder, name, module, x, y, options):
    with h5py.File(folder / "data.h5", "w") as f:
        attributes = {"format": "ritzflow-data", "format_version": "1.0", "task": "classification"}
        f.attrs.update(attributes | {"num_classes": 1000})
        f["inputs"], f["targets"] = x.numpy(), y.numpy()
    torch.save(module.state_dict(), folder / "weights.pt")
    script = (ROOT / ".venv/bin/python", ROOT / "stages/scripts/export_products.py")
    files = ("--weights", folder / "weights.pt", "--data", folder / "data.h5", "--out", folder / "model.h5")
    flags = ("--micro-batch", options.micro_batch, "--products", "ggn", "hessian", "--verify", "float32")
    place = ("--packages", folder / "packages", "--compile", options.compile)
    run(*script, "--module", f"tests.models.imagenet:{name}", *files, *flags, *place)


def ours(folder, operator, options):
    """Least seconds, the vector and its product; peak memory in GB."""
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / "operator.h5")
    flags = ("--operator", operator, "--threads", 1, "--quiet", "--memory", options.memory)
    (folder / "operator.h5").unlink(missing_ok=True)
    run(options.bin / "build-operator", *files, *flags)
    peak = run(options.bin / "time-products", folder / "operator.h5", folder / "out.h5", options.rounds)
    with h5py.File(folder / "out.h5") as file:
        vectors = (torch.from_numpy(file[name][:]).float() for name in ("vector", "product"))
        return min(file["seconds"][:]), *vectors, peak


def compare(folder, name, operator, problem, unit, options) -> bool:
    """A line for each program; whether ours agrees with all, of Hessians with plain double backward."""
    seconds, v, expected, peak = ours(folder, operator, options)
    print(
        f"{name:<9} {operator:<8} {'ritzflow':<16} {seconds / unit:>9.2f} {1:>7.2f} {peak:>6.1f}", flush=True
    )
    programs = theirs(operator, *problem, v)
    if operator == "hessian":
        programs["double backward"] = lambda: double_backward(*problem, v)
    agree, own = True, seconds
    for peer, product in programs.items():
        (seconds, result), peak = apart(lambda product=product: timed(product, options.rounds))
        error = distance(result, expected)
        decides = operator == "ggn" or peer == "double backward"
        agree &= error < LIMIT or not decides
        figures = f"{seconds / unit:>9.2f} {seconds / own:>7.2f} {peak:>6.1f} {error:>9.1e}"
        print(f"{name:<9} {operator:<8} {peer:<16} {figures}", flush=True)
    return agree


def measure(name, options) -> bool:
    torch.manual_seed(0)
    module, loss = getattr(imagenet, name)().eval(), nn.CrossEntropyLoss()
    x, y = torch.randn(SAMPLES, 3, 224, 224), torch.randint(1000, (SAMPLES,))
    batches = list(zip(x.split(options.micro_batch), y.split(options.micro_batch), strict=True))
    with tempfile.TemporaryDirectory() as text, sdpa_kernel(SDPBackend.MATH):
        folder = Path(text)
        export(folder, name, module, x, y, options)
        unit, _ = apart(lambda: timed(gradient(module, loss, batches), options.rounds)[0])
        problem = (module, loss, batches)
        agree = [compare(folder, name, kind, problem, unit, options) for kind in ("hessian", "ggn")]
        return all(agree)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--micro-batch", type=int, default=4)
    parser.add_argument("--memory", default="4GiB")
    parser.add_argument("--compile", choices=["auto", "aoti", "none"], default="auto")
    parser.add_argument("--models", nargs="+", default=["resnet18", "VitTiny"])
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    columns = f"{'gradients':>9} {'x ours':>7} {'GB':>6} {'error':>9}"
    print(f"{'model':<9} {'operator':<8} {'program':<16} {columns}")
    agree = [measure(name, options) for name in options.models]
    if not all(agree):
        sys.exit(f"error: products differ by more than {LIMIT:g}")


if __name__ == "__main__":
    main()
