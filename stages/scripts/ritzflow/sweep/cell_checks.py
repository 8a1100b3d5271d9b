"""What is wrong with the cells that a sweep file asks for: parts that name none, names that none has."""

from collections.abc import Iterator
from typing import Any

from ritzflow.sweep import cells, variants
from ritzflow.sweep.types import Config
from ritzflow.sweep.variant_checks import unknown

NAMES = {axis: key for key, axis in variants.SCOPE.items()}
NUMBERS = {"seed": "seeds", "probe": "probes"}


def unused_names(config: Config) -> Iterator[str]:
    """Words of partial cells that are no names of the sweep, and names that no cell has."""
    for place, part in parts(config):
        yield from unknown_words(config, place, part)
    every = cells.expected(config)
    for axis, key in NAMES.items():
        there = {cell[axis] for cell in every}
        for name in config[key]:
            if name not in there:
                yield f"no cell has '{name}' of {key}: all are excluded; leave it out"
    yield from unused_variants(config, {cell["variant"] for cell in every})


def parts(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """Partial cells with their places."""
    for key in ("include", "exclude"):
        yield from ((f"{key}.{i}", part) for i, part in enumerate(config.get(key, [])))


def unknown_words(config: Config, place: str, part: dict[str, Any]) -> Iterator[str]:
    known = {axis: (key, config[key]) for axis, key in (NAMES | NUMBERS).items()}
    known["variant"] = ("variants", variants.names(config))
    if place.startswith("include"):
        del known["reorth_mode"]  # one that the product lacks is a way to add cells
    for axis, (key, values) in known.items():
        if axis in part:
            yield from unknown(part[axis], f"{place}.{axis}", key, values)


def problems(config: Config) -> Iterator[str]:
    """Parts that change nothing, once the steps of all models are known."""
    models = config["models"]
    if any(isinstance(step, str) for model in models.values() for step in model["steps"]):
        return
    for i, part in enumerate(config.get("exclude", [])):
        if not any(cells.product(config, model, part) for model in models):
            yield f"'exclude.{i}': {said(part)} is not a cell of the sweep"
    for i, part in enumerate(config.get("include", [])):
        others = {**config, "include": [other for j, other in enumerate(config["include"]) if j != i]}
        if len(cells.expected(others)) == len(cells.expected(config)):
            way_out = "they are there already; to measure these alone, exclude the others"
            yield f"'include.{i}': {said(part)} adds no cell: {way_out}"


def said(part: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{axis}: {value}" for axis, value in part.items()) + "}"


def unused_variants(config: Config, there: set[str]) -> Iterator[str]:
    for name, entry in config.get("variants", {}).items():
        if variants.MARK + name not in there:
            yield f"no cell uses 'variants.{name}'{why(config, entry)}"


def why(config: Config, entry: dict[str, Any]) -> str:
    settings = variants.replaced(entry)
    modes = entry.get("reorth_modes") or config["reorth_modes"]
    if settings and not any(variants.used_by(mode, settings) for mode in modes):
        return f": {', '.join(settings)} is for {variants.users(next(iter(settings)))}"
    if "exclude" in config:
        return ""
    return ": another one has the same settings in its modes"
