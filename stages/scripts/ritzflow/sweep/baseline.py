"""The cells that others are compared with: those of a mode, an operator or a variant."""

from collections.abc import Iterator
from typing import Any

from ritzflow.common.script_cli import nearest
from ritzflow.sweep import cells, variants
from ritzflow.sweep.types import Cell, Config
from ritzflow.sweep.variant_checks import unknown

FULL = {"reorth_mode": "full"}
NAMES = {"reorth_mode": "mode", "operator": "operator", "variant": "variant"}


def spelt(raw: dict[str, Any]) -> dict[str, Any]:
    """YAML reads an unquoted `off` as False."""
    said = raw.get("baseline")
    if said is False:
        return {**raw, "baseline": "off"}
    if isinstance(said, dict) and said.get("reorth_mode") is False:
        return {**raw, "baseline": {**said, "reorth_mode": "off"}}
    return raw


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the key `baseline`, a word or words by axis."""
    said, known = config.get("baseline"), names(config)
    if isinstance(said, dict):
        for axis, word in said.items():
            yield from unknown(word, f"baseline.{axis}", f"the sweep's {NAMES[axis]}s", known[axis])
    elif said is not None:
        axes = [axis for axis in NAMES if said in known[axis]]
        every = [name for axis in NAMES for name in known[axis]]
        if not axes:
            kinds = "mode, operator or variant of the sweep"
            yield f"'{said}' for 'baseline' is not a {kinds}{nearest(said, every)}"
        if len(axes) > 1:
            forms = " or ".join(f"{{{axis}: {said}}}" for axis in axes)
            yield f"'baseline': {said} is the name of several; write {forms}"


def names(config: Config) -> dict[str, list[str]]:
    """What cells have on each axis."""
    every = cells.expected(config)
    return {
        axis: list(dict.fromkeys(cell[axis].removeprefix(variants.MARK) for cell in every)) for axis in NAMES
    }


def by_axis(config: Config) -> dict[str, Any]:
    """The configuration with a baseline that is a word as one by its axis."""
    said = config.get("baseline")
    if not isinstance(said, str):
        return config
    known = names(config)
    return {**config, "baseline": next({axis: said} for axis in NAMES if said in known[axis])}


def of(config: Config) -> Cell:
    """By the axes of cells."""
    axes = dict(config.get("baseline", FULL))
    if "variant" in axes:
        axes["variant"] = variants.MARK + axes["variant"]
    return axes


def words(config: Config) -> str:
    """In a sentence: the full mode."""
    return " and ".join(f"the {name} {NAMES[axis]}" for axis, name in config.get("baseline", FULL).items())
