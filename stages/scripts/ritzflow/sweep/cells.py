"""The cells of a sweep: which are expected, and where each lies."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

from ritzflow.sweep import blocks, places, variants
from ritzflow.sweep.types import Cell, Config

AXES = ("model", "seed", "step", "operator", "block", "reorth_mode", "variant", "probe")
AVERAGED = ("seed", "probe")  # in a table row
RESTARTED = ("thick_restart", "auto")  # may restart: their T is not a quadrature of the probe


def expected(config: Config) -> list[dict[str, Any]]:
    """Every cell of the sweep by its axes, in the order of the sweep file; block is empty for the whole.

    The steps of a model that are known only once it is trained are as the sweep file has them before.
    """
    return [cell for model in config["models"] for cell in of_model(config, model)]


def of_model(config: Config, model: str) -> list[dict[str, Any]]:
    """The product of the axes without what is excluded, then what is included."""
    out = [of_part(config, model, part) for part in config.get("exclude", [])]
    kept = [cell for cell in product(config, model, {}) if not any(fits(cell, part) for part in out)]
    added = [cell for part in config.get("include", []) for cell in product(config, model, part)]
    return list({tuple(cell.values()): cell for cell in (*kept, *added)}.values())


def product(config: Config, model: str, part: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a model that have the axes of a partial cell; the others run over the sweep's values."""
    fixed = of_part(config, model, part)
    entry = config["models"][model]
    steps = [entry["steps"]] if isinstance(entry["steps"], str) else entry["steps"]
    modes = [fixed["reorth_mode"]] if "reorth_mode" in fixed else config["reorth_modes"]
    every = (
        dict(zip(AXES, (model, seed, step, operator, block, mode, variant, probe), strict=True))
        for step, (operator, block), mode in itertools.product(steps, matrices(config, entry), modes)
        for variant, seed, probe in itertools.product(
            [fixed["variant"]] if "variant" in fixed else variants.of(config, model, operator, mode),
            config["seeds"],
            config["probes"],
        )
    )
    return [cell for cell in every if fits(cell, fixed)]


def of_part(config: Config, model: str, part: dict[str, Any]) -> Cell:
    """An entry of `include` or `exclude` by the axes of cells; `final` is the last step."""
    axes, steps = dict(part), config["models"][model]["steps"]
    if axes.get("step") == "final" and isinstance(steps, list):
        axes["step"] = steps[-1]
    for axis, mark in (("block", blocks.MARK), ("variant", variants.MARK)):
        if axes.get(axis):
            axes[axis] = mark + axes[axis]
    return axes


def fits(cell: Cell, part: Cell) -> bool:
    return part.items() <= cell.items()


def seeds_of(config: Config, model: str) -> list[int]:
    """The seeds of a model's cells."""
    return list(dict.fromkeys(cell["seed"] for cell in of_model(config, model)))


def columns(config: Config) -> list[str]:
    """The axes that tables of the sweep have; `variant` is one where there are any."""
    return [axis for axis in AXES if axis != "variant" or variants.has(config)]


def matrices(config: Config, model: dict[str, Any]) -> list[tuple[str, str]]:
    """Operator and block of every matrix that the sweep measures of a model."""
    return [
        (name, block)
        for name, options in config["operators"].items()
        for block in blocks.suffixes(model, options)
    ]


def of_density(config: Config, cell: Cell) -> Cell | None:
    """The cell whose mode and variant make the density that a cell refers to; None where there is none.

    They are its own, but where runs may restart the first mode that cannot, with the same settings."""
    if cell["reorth_mode"] not in RESTARTED:
        return cell
    there = runs_of_matrix(config, cell)
    for mode in (mode for mode in there if mode not in RESTARTED):
        if (variant := variants.counterpart(config, cell, mode, there[mode])) is not None:
            return {**cell, "reorth_mode": mode, "variant": variant}
    return None


def probes_of(config: Config, cell: Cell) -> list[int]:
    """The probes of the runs that make a cell's density."""
    return runs_of_matrix(config, cell)[cell["reorth_mode"]][cell["variant"]]


Runs = dict[str, dict[str, list[int]]]  # probes by mode and variant


def runs_of_matrix(config: Config, cell: Cell) -> Runs:
    return runs(json.dumps(config))[places.MATRIX.format(**cell)]


@functools.lru_cache(maxsize=2)
def runs(text: str) -> dict[str, Runs]:
    """The runs of each matrix of the sweep, found once for a configuration as JSON."""
    found: dict[str, Runs] = {}
    for cell in expected(json.loads(text)):
        of_matrix = found.setdefault(places.MATRIX.format(**cell), {})
        of_matrix.setdefault(cell["reorth_mode"], {}).setdefault(cell["variant"], []).append(cell["probe"])
    return found


def folder(results: Path, cell: Cell) -> Path:
    return results / "cells" / places.CELL.format(**cell)
