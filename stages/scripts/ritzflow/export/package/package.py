"""A package: a folder with the functions of one model, shape, type and machine, named by a digest.

manifest.json      what C++ must know; the SHA-256 of its bytes is the folder's name
<function>.json    its operator calls (calls.py), or
<function>.pt2     its AOTInductor package
SHA256SUMS         of these files, as `sha256sum -c` reads it
"""

import hashlib
import json
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ritzflow.common.atomic_write import atomic_write
from ritzflow.export.taps.taps import Tap
from ritzflow.export.trace.calls import listed
from ritzflow.export.trace.split import Function
from ritzflow.export.trace.trace import Trace
from ritzflow.export.trace.verify import graph_module

FORMAT = {"format": "ritzflow-package", "format_version": "1.0"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def slot_table(trace: Trace, functions: dict[str, Function]) -> list[dict[str, Any]]:
    """Name, shape, strides and type of every value that passes between functions."""
    values = {name: node.meta["val"] for name, node in trace.inputs.items()}
    for function in functions.values():
        results = next(node for node in function.graph.nodes if node.op == "output").args[0]
        values |= {name: node.meta["val"] for name, node in zip(function.outputs, results)}
    return [
        {
            "name": name,
            "shape": list(value.shape),
            "strides": list(value.stride()),
            "dtype": str(value.dtype).removeprefix("torch."),
        }
        for name, value in values.items()
    ]


def tap_entry(tap: Tap) -> dict[str, Any]:
    return {
        "kind": tap.kind,
        "name": tap.name,
        "weight": tap.weight.name,
        "bias": tap.bias and tap.bias.name,
        "tied": tap.tied,
        "groups": tap.groups,
        "pieces": tap.pieces,
    }


ARITHMETIC = re.compile(
    r"sse|ssse|avx|fma|f16c|bmi|amx|vaes|gfni|vpclmul|adx|sha_ni|popcnt|asimd|sve|neon|bf16|i8mm"
)


def machine() -> dict[str, Any]:
    """What compiled code may use: the processor's kind and its features for arithmetic."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    features = next((line for line in lines if line.split(":")[0].strip() in ("flags", "Features")), ":")
    usable = sorted(word for word in features.split(":")[1].split() if ARITHMETIC.match(word))
    return {"architecture": platform.machine(), "features": usable}


def manifest(
    trace: Trace, functions: dict[str, Function], facts: dict[str, Any], compiled: bool
) -> dict[str, Any]:
    """`facts`: dtype, micro_batch, input_shape, tokens, outputs, tied."""
    slots = slot_table(trace, functions)
    place = {slot["name"]: i for i, slot in enumerate(slots)}
    calls = {name: listed(function.graph) for name, function in functions.items()}
    described = {
        name: {
            "inputs": [place[slot] for slot in function.inputs],
            "outputs": [place[slot] for slot in function.outputs],
            "graph": digest(text(calls[name])),
        }
        for name, function in functions.items()
    }
    entries = [tap_entry(tap) for tap in trace.taps] if "taps" in functions else []
    return {
        **FORMAT,
        **facts,
        "torch": torch.__version__.split("+")[0],
        "compile": "aoti" if compiled else "none",
        "machine": machine() if compiled else None,
        "slots": slots,
        "functions": described,
        "taps": entries,
    }


class Writer:
    """Writes a package beside its place, then renames it: it is complete or absent."""

    def __init__(self, packages: Path, description: dict[str, Any]) -> None:
        self.manifest = text(description)
        self.key = digest(self.manifest)
        self.folder = packages / self.key

    def exists(self) -> bool:
        return (self.folder / "SHA256SUMS").is_file()

    def write(self, functions: dict[str, Function], check: Callable[[Path], None] | None = None) -> None:
        """Functions as operator calls, or compiled where there is a `check` of what the compiler made; it is
        given the folder, and raises Refusal."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder) as part:
            part.mkdir()
            (part / "manifest.json").write_bytes(self.manifest)
            for name, function in functions.items():
                if not function.outputs:
                    continue  # nobody calls it
                if check:
                    compile_function(name, function, part / f"{name}.pt2")
                else:
                    (part / f"{name}.json").write_bytes(text(listed(function.graph)))
            if check:
                check(part)
            files = sorted(part.iterdir())
            sums = [f"{digest(file.read_bytes())}  {file.name}\n" for file in files]
            (part / "SHA256SUMS").write_text("".join(sums))


def examples(function: Function) -> tuple[torch.Tensor, ...]:
    """Zeros of the layout of each argument."""
    values = [node.meta["val"] for node in function.graph.nodes if node.op == "placeholder"]
    return tuple(torch.empty_strided(v.shape, v.stride(), dtype=v.dtype).zero_() for v in values)


def compile_function(name: str, function: Function, path: Path) -> None:
    """AOTInductor's package of a function: one thread, exact arithmetic."""
    start = time.monotonic()
    nodes = len(function.graph.nodes)
    print(f"compiling {name}: {nodes} operations ...", end="", file=sys.stderr, flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about itself
        program = torch.export.export(graph_module(function), examples(function))
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    print(f" {time.monotonic() - start:.0f} s", file=sys.stderr)
