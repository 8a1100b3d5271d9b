"""The functions of one export, kept for other weights of the same module: those of another seed or step.

A trace depends on no value of a weight. It is found again by all that it does depend on: the options of the
export, the sources of the user's modules, versions, the shapes of the data and of the module. At the other
weights its functions are compared with eager autograd once more, so that whatever else a module may depend on
is seen.
"""

import fcntl
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ritzflow.common import made_with
from ritzflow.common.atomic_write import atomic_write
from ritzflow.common.locations import SCRIPTS
from ritzflow.export.module.data import Samples
from ritzflow.export.module.modules import Model
from ritzflow.export.package import package
from ritzflow.export.trace import calls
from ritzflow.export.trace.split import Function
from ritzflow.export.trace.verify import Runner

FOLDER = "traces"
OF_WEIGHTS = ("weights", "hf", "steps", "weights_key", "prefix", "strict", "out", "data", "packages")


@dataclass
class InType:
    """The functions in one type, as lists of calls; `constants` as slots have them."""

    functions: dict[str, dict[str, Any]]
    constants: dict[str, torch.Tensor]
    tolerance: float


@dataclass
class Shared:
    """types: by name; keys: of the packages, which are compiled or not."""

    types: dict[str, InType] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    compiled: bool = False

    def add(
        self, dtype: str, functions: dict[str, Function], constants: dict[str, Any], tolerance: float
    ) -> None:
        """Takes functions in a type, except those of K-FAC's layers, which nothing here checks."""
        listings = {
            name: {"inputs": f.inputs, "outputs": f.outputs, "calls": calls.listed(f.graph)}
            for name, f in functions.items()
            if not name.startswith("taps")
        }
        self.types[dtype] = InType(listings, constants, tolerance)


@dataclass
class Listed:
    """A function as its calls."""

    inputs: list[str]
    outputs: list[str]
    calls: dict[str, Any]


class CallsRunner(Runner):
    """Functions at work that were read from a file."""

    def __init__(self, kept: InType, slots: dict[str, torch.Tensor]) -> None:
        functions = {name: Listed(**listing) for name, listing in kept.functions.items()}
        super().__init__(functions, slots | {f"buffer:{n}": value for n, value in kept.constants.items()})

    def call(self, name: str, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        return calls.run(self.functions[name].calls, inputs)


def key(options: dict[str, Any], samples: Samples, model: Model) -> str:
    """Digest of all that a trace depends on; `options` as the user gave them."""
    ours = [SCRIPTS / "export_products.py", *sorted((SCRIPTS / "ritzflow" / "export").rglob("*.py"))]
    facts = {
        "options": {name: value for name, value in options.items() if name not in OF_WEIGHTS},
        "sources": {str(path): made_with.sha256(path) for path in [*ours, *made_with.own_modules()]},
        "versions": versions(model),
        "machine": package.machine(),
        "data": described(samples),
        "module": repr(model.module),
        "tensors": [(n, *described_tensor(t)) for n, t in (model.parameters | model.buffers).items()],
        "tied": model.tied(),
    }
    return package.digest(json.dumps(facts, sort_keys=True, default=str).encode())


def versions(model: Model) -> dict[str, str]:
    """Of PyTorch and the packages that the module's layers come from."""
    names = {type(layer).__module__.split(".")[0] for layer in model.module.modules()} | {"torch"}
    return {name: str(vars(sys.modules[name]).get("__version__")) for name in sorted(names)}


def described_tensor(tensor: Any) -> tuple[list[int], str]:
    return list(tensor.shape), str(tensor.dtype)


def described(samples: Samples) -> dict[str, Any]:
    """What a trace knows of the data: shapes and kinds."""
    inputs = samples.inputs if isinstance(samples.inputs, dict) else {"": samples.inputs}
    arrays = {f"x:{name}": described_tensor(values[:1]) for name, values in inputs.items()}
    arrays |= {f"shared:{name}": described_tensor(values) for name, values in samples.shared.items()}
    weighted = [None if given is None else given.ndim for given in (samples.mask, samples.weights)]
    targets = [samples.target_shape, samples.real_targets, samples.task, samples.outputs]
    return {"arrays": arrays, "targets": targets, "weighted": weighted, "count": len(samples.targets)}


@contextmanager
def alone(packages: Path, key: str) -> Iterator[None]:
    """One export of a key at a time: the others wait, and find what it made."""
    (packages / FOLDER).mkdir(parents=True, exist_ok=True)
    with open(packages / FOLDER / f"{key}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def load(packages: Path, key: str) -> Shared | None:
    """What an earlier export kept; None where there is none, it is damaged, or a package of it is gone."""
    try:
        kept = torch.load(packages / FOLDER / f"{key}.pt", weights_only=True)
        text = kept["text"]
        if hashlib.sha256(text.encode()).hexdigest() != kept["sha256"]:
            return None
        said = json.loads(text)
        types = {
            name: InType(entry["functions"], kept["constants"][name], entry["tolerance"])
            for name, entry in said["types"].items()
        }
    except Exception:  # whatever reading a damaged file raises
        return None
    there = all((packages / name / "SHA256SUMS").is_file() for name in said["keys"].values())
    return Shared(types, said["keys"], said["compiled"]) if there else None


def save(packages: Path, key: str, shared: Shared) -> None:
    """Keeps it, by rename."""
    types = {
        name: {"functions": kept.functions, "tolerance": kept.tolerance}
        for name, kept in shared.types.items()
    }
    text = json.dumps({"types": types, "keys": shared.keys, "compiled": shared.compiled})
    content: dict[str, Any] = {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    content["constants"] = {
        name: {n: value.clone() for n, value in kept.constants.items()} for name, kept in shared.types.items()
    }
    with atomic_write(packages / FOLDER / f"{key}.pt") as part:
        torch.save(content, part)
