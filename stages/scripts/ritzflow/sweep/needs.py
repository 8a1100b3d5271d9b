"""What a job asks of a cluster: memory and time, more of both after an attempt that was killed."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py

from ritzflow.sweep import exits, places, variants
from ritzflow.sweep.types import Cell, Config

PROGRAM = 1024  # MiB of a program without its data
PRODUCTS = "4GiB"  # of an operator whose `memory` is left to the stage
TRACE = 6144  # MiB: tracing and compiling a module
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
# Stages that hold products; those of lanczos and ritz-residuals also hold Lanczos vectors.
WITH_PRODUCTS = ("collect-kfac", "build-operator", "compare-kfac", "lanczos", "ritz-residuals", "density")
WITH_VECTORS = ("lanczos", "ritz-residuals", "density")
# Limits in minutes. A stage with a checkpoint resumes in the next job: its limit need not hold the whole run.
MINUTES = {"train-weights": 1440, "export-products": 120}
RESUMED = ("train-model", "collect-kfac", "build-operator", "lanczos", "ritz-residuals")
RESUMED_MINUTES, OTHER_MINUTES = 60, 20
PLACE = {
    "data": "data/{model}",
    "train-model": places.RUN,
    "train-weights": places.RUN,
    "export-products": places.RUN,
}
OF_CELLS = {
    "lanczos": places.CELL,
    "ritz-residuals": places.CELL,
    "metrics": places.CELL,
    "density": places.MODE,
}


def minutes(stage: str) -> int:
    return MINUTES.get(stage, RESUMED_MINUTES if stage in RESUMED else OTHER_MINUTES)


def memory(stage: str, config: Config, cell: Cell, files: Iterable[str]) -> int:
    """MiB of a stage that reads `files`, which need not be there yet."""
    there = [path for path in map(Path, files) if path.is_file()]
    held = PROGRAM + 3 * sum(path.stat().st_size for path in there) / 2**20
    if stage == "export-products":
        held += TRACE
    if stage in WITH_PRODUCTS:
        operator = config["operators"][cell["operator"]]
        held += size(operator["memory"] or PRODUCTS) if operator["device"] != "cuda" else 0
    if stage in WITH_VECTORS:
        lanczos = variants.settings_of(config, cell)
        held += 8 * dimension(there) * vectors(lanczos, cell["reorth_mode"]) / 2**20
    return round(held)


def size(text: str) -> float:
    """MiB of a size such as 512MiB; the stage's own check has other words refused."""
    match = re.fullmatch(r"([\d.]+) ?([KMGT]iB)?", str(text))
    return float(match[1]) * UNITS[match[2] or ""] / 2**20 if match else 0.0


def dimension(files: Iterable[Path]) -> int:
    """Of the operator among the files that a stage reads."""
    for path in files:
        if path.name == "operator.h5":
            with h5py.File(path) as file:
                return int(file.attrs["n_params"])
    return 0


def vectors(lanczos: dict[str, Any], mode: str) -> int:
    """Lanczos vectors that a run holds in memory, with those of its certificate."""
    if lanczos["basis"] == "disk":
        return 20
    kept = (
        (lanczos["krylov_dim"] or 4 * lanczos["k"] + 20) if mode == "thick_restart" else lanczos["max_iters"]
    )
    return int(kept) + 20


class Needs:
    """Resources of the rules, as functions of the wildcards."""

    def __init__(self, config: Config, results: str, axes: Callable[[Any], Cell]) -> None:
        self.config, self.results, self.axes = config, results, axes

    def memory(self, stage: str) -> Callable[..., int]:
        def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
            least = memory(stage, self.config, self.axes(wildcards), map(str, input))
            return least * min(self.factor(stage, wildcards, attempt), 2)  # a node must have as much

        return mem_mb

    def minutes(self, stage: str) -> Callable[..., int]:
        return lambda wildcards, attempt: minutes(stage) * self.factor(stage, wildcards, attempt)

    def factor(self, stage: str, wildcards: Any, attempt: int) -> int:
        if attempt == 1:
            return 1
        place = PLACE.get(stage) or f"{OF_CELLS.get(stage, places.MATRIX)}/{stage}"
        return exits.factor(f"{self.results}/logs/{place.format(**wildcards)}.log", attempt)
