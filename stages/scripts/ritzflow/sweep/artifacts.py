"""The artifacts of a sweep: of each its stage, its settings, and the artifacts that it is made from."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ritzflow.sweep import cells, places, recorded, stage_flags
from ritzflow.sweep.model_steps import has_command, has_known_steps, is_trained
from ritzflow.sweep.types import Cell, Config


@dataclass(frozen=True)
class Artifact:
    """path below the results folder; settings as recorded.wanted gives them; inputs: paths by role."""

    path: str
    stage: str
    settings: dict[str, Any]
    inputs: dict[str, list[str]]
    step: int | None = None  # of the model that it is made from


def of_sweep(config: Config) -> dict[str, Artifact]:
    """The artifacts of all cells by path, each after those that it is made from."""
    return of_text(json.dumps(config))


@functools.lru_cache(maxsize=2)
def of_text(text: str) -> dict[str, Artifact]:
    """The same, made once for a configuration as JSON: every rule of a sweep asks for it."""
    config = json.loads(text)
    found: dict[str, Artifact] = {}
    every = cells.expected(config)
    for kind in (data, training, model, kfac, operator, comparison, lanczos, ritz, density, metrics):
        for cell in every:
            if belongs(kind, config, cell):
                artifact = kind(config, cell)
                found.setdefault(artifact.path, artifact)
    return found


def belongs(kind: Callable[..., Any], config: Config, cell: Cell) -> bool:
    """Whether a cell has an artifact of this kind; after a training its steps must be known."""
    entry = config["models"][cell["model"]]
    if kind is training:
        return has_command(entry)
    if kind is not data and not has_known_steps(entry):
        return False
    if kind in (kfac, comparison):
        return stage_flags.is_kronecker(config, cell)
    return kind is not density or cell["reorth_mode"] not in cells.RESTARTED


def of(
    stage: str,
    place: str,
    settings: Callable[..., Any],
    config: Config,
    cell: Cell,
    inputs: dict[str, Any],
    step: int | None = None,
) -> Artifact:
    paths = {role: [file.format(**cell) for file in files] for role, files in inputs.items()}
    return Artifact(place.format(**cell), stage, recorded.wanted(settings(config, cell)), paths, step)


def data(config: Config, cell: Cell) -> Artifact:
    return of("prepare_data", places.DATA, stage_flags.data, config, cell, {})


def training(config: Config, cell: Cell) -> Artifact:
    return of("train_weights", places.TRAINING, stage_flags.weights_training, config, cell, {})


def model(config: Config, cell: Cell) -> Artifact:
    trained = is_trained(config["models"][cell["model"]])
    stage = "train-model" if trained else "export_products"
    weights = {"training": [places.TRAINING]} if belongs(training, config, cell) else {}
    inputs = {"data": [places.DATA]} | weights
    made = of(stage, places.MODEL, stage_flags.of_model, config, cell, inputs)
    if trained:
        made.settings.update(recorded.flat(stage_flags.spec(config, cell)))
    return made


POINT = {"data": [places.DATA], "model": [places.MODEL]}


def kfac(config: Config, cell: Cell) -> Artifact:
    return of("collect-kfac", places.KFAC, stage_flags.collection, config, cell, POINT, cell["step"])


def operator(config: Config, cell: Cell) -> Artifact:
    factors = {"kfac": [places.KFAC]} if stage_flags.is_kronecker(config, cell) else {}
    inputs = POINT | factors
    return of("build-operator", places.OPERATOR, stage_flags.operator, config, cell, inputs, cell["step"])


def comparison(config: Config, cell: Cell) -> Artifact:
    inputs = {"operator": [places.OPERATOR]}
    return of("compare-kfac", places.COMPARISON, stage_flags.comparison, config, cell, inputs)


def lanczos(config: Config, cell: Cell) -> Artifact:
    return of("lanczos", places.LANCZOS, stage_flags.lanczos, config, cell, {"operator": [places.OPERATOR]})


def ritz(config: Config, cell: Cell) -> Artifact:
    inputs = {"operator": [places.OPERATOR], "lanczos": [places.LANCZOS]}
    return of("ritz-residuals", places.RITZ, stage_flags.none, config, cell, inputs)


def density(config: Config, cell: Cell) -> Artifact:
    runs = [places.LANCZOS.format(**{**cell, "probe": probe}) for probe in cells.probes_of(config, cell)]
    inputs = {"operator": [places.OPERATOR], "lanczos": runs}
    return of("density", places.DENSITY, stage_flags.none, config, cell, inputs)


def metrics(config: Config, cell: Cell) -> Artifact:
    runs = cells.of_density(config, cell)
    whole = [places.DENSITY.format(**runs)] if runs else []
    inputs = {"ritz": [places.RITZ], "operator": [places.OPERATOR], "density": whole}
    return of("metrics", places.METRICS, stage_flags.metrics, config, cell, inputs)
