"""The cells of a sweep: which are expected, and where each lies."""

import itertools
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
    return [
        dict(zip(AXES, (name, seed, step, operator, block, mode, variant, probe), strict=True))
        for name, model in config["models"].items()
        for step, (operator, block), mode in itertools.product(
            [model["steps"]] if isinstance(model["steps"], str) else model["steps"],
            matrices(config, model),
            config["reorth_modes"],
        )
        for variant, seed, probe in itertools.product(
            variants.of(config, name, operator, mode), config["seeds"], config["probes"]
        )
    ]


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
    for mode in (mode for mode in config["reorth_modes"] if mode not in RESTARTED):
        there = variants.of(config, cell["model"], cell["operator"], mode)
        if (variant := variants.counterpart(config, cell, mode, there)) is not None:
            return {**cell, "reorth_mode": mode, "variant": variant}
    return None


def folder(results: Path, cell: Cell) -> Path:
    return results / "cells" / places.CELL.format(**cell)
