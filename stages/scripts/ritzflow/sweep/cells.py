"""The cells of a sweep: which are expected, and where each lies."""

import itertools
from pathlib import Path
from typing import Any

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import blocks, places, sweep_config, sweep_file
from ritzflow.sweep.types import Cell, Config

AXES = ("model", "seed", "step", "operator", "block", "reorth_mode", "probe")
# What a table row is; seed and probe are averaged.
ROW_AXES = ("model", "step", "operator", "block", "reorth_mode")
RESTARTED = ("thick_restart", "auto")  # may restart: their T is not a quadrature of the probe


def sweep(results: Path) -> dict[str, Any]:
    """The complete configuration of the sweep whose results lie in a folder. Raises InputError."""
    path = results / "sweep.json"
    if not path.is_file():
        raise InputError(f"{results}: no sweep.json; expected the results folder of a sweep")
    return sweep_config.resolve(sweep_file.read(str(path)), str(path))


def expected(config: Config) -> list[dict[str, Any]]:
    """Every cell of the sweep by its axes, in the order of the sweep file; block is empty for the whole.

    The steps of a model that are known only once it is trained are as the sweep file has them before.
    """
    return [
        dict(zip(AXES, (name, seed, step, operator, block, mode, probe), strict=True))
        for name, model in config["models"].items()
        for step, (operator, block), mode, seed, probe in itertools.product(
            [model["steps"]] if isinstance(model["steps"], str) else model["steps"],
            matrices(config, model),
            config["reorth_modes"],
            config["seeds"],
            config["probes"],
        )
    ]


def matrices(config: Config, model: dict[str, Any]) -> list[tuple[str, str]]:
    """Operator and block of every matrix that the sweep measures of a model."""
    return [
        (name, block)
        for name, options in config["operators"].items()
        for block in blocks.suffixes(model, options)
    ]


def density_mode(config: Config, mode: str) -> str | None:
    """The mode whose runs make the density that a cell of `mode` refers to: its own, but where runs may
    restart the first one that cannot; None where there is none."""
    usable = [other for other in config["reorth_modes"] if other not in RESTARTED]
    return mode if mode in usable else next(iter(usable), None)


def folder(results: Path, cell: Cell) -> Path:
    return results / "cells" / places.CELL.format(**cell)
