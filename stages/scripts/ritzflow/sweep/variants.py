"""Variants: cells whose Lanczos runs have other settings than `lanczos` says, by `variants` or by `grid`.

A cell has its variant as a folder in that of its mode: /w2. It is empty in a sweep without variants.
"""

import functools
import itertools
import json
from collections.abc import Iterable
from typing import Any

from ritzflow.common.locations import ROOT
from ritzflow.sweep import presets
from ritzflow.sweep.types import Cell, Config

MARK = "/"
BASE = "base"  # `lanczos` as it is
SCOPE = {"models": "model", "operators": "operator", "reorth_modes": "reorth_mode"}
Settings = dict[str, Any]


def has(config: Config) -> bool:
    return "variants" in config or "grid" in config


def of(config: Config, model: str, operator: str, mode: str) -> list[str]:
    """The variants of a model's operator in a mode, as folders.

    Of those that differ in nothing that the mode uses there is one; none at all is `lanczos` as it is.
    """
    if not has(config):
        return [""]
    cell = {"model": model, "operator": operator, "reorth_mode": mode}
    entries = [*listed(config, cell), *of_grid(config, mode)]
    taken = [used for _, settings in entries if (used := used_by(mode, settings)) == settings]
    taken = [in_full(config, mode, used) for used in taken]
    names = []
    for name, settings in entries:
        used = used_by(mode, settings)
        if used == settings:
            names.append(name)
        elif (complete := in_full(config, mode, used)) not in taken:
            taken.append(complete)
            names.append(name if used else BASE)
    return [MARK + name for name in names or [BASE]]


def listed(config: Config, cell: Cell) -> list[tuple[str, Settings]]:
    """Names and settings of the entries of `variants` that are for a cell."""
    return [
        (name, replaced(entry))
        for name, entry in config.get("variants", {}).items()
        if all(cell[axis] in entry[key] for key, axis in SCOPE.items() if key in entry)
    ]


def replaced(entry: dict[str, Any]) -> Settings:
    """What a variant has in place of the settings of `lanczos`."""
    return {key: value for key, value in entry.items() if key not in SCOPE}


def of_grid(config: Config, mode: str) -> list[tuple[str, Settings]]:
    """Names and settings of the combinations of `grid`; the names say what the mode uses."""
    return [(grid_name(used_by(mode, point)), presets.filled(point)) for point in points(config)]


def points(config: Config) -> list[Settings]:
    grid = config.get("grid")
    return (
        [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())] if grid else []
    )


def names(config: Config) -> list[str]:
    """Those that cells may have."""
    combined = (name for mode in config["reorth_modes"] for name, _ in of_grid(config, mode) if name)
    return list(dict.fromkeys((*config.get("variants", {}), *combined, *([BASE] if has(config) else []))))


def grid_name(point: Settings) -> str:
    return ",".join(f"{key}={word(key, value)}" for key, value in point.items())


def word(key: str, value: Any) -> str:
    """A value as a sweep file has it; null is the stage's own default."""
    if value is None:
        value = lanczos_schema()[key].get("x-default", "default")
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("e-0", "e-")


@functools.cache
def lanczos_schema() -> dict[str, dict[str, Any]]:
    """What the schema says of each setting of `lanczos`."""
    schema = json.loads((ROOT / "configs" / "schema.json").read_text())
    settings: dict[str, dict[str, Any]] = schema["$defs"]["lanczos"]["properties"]
    return settings


def used_by(mode: str, settings: Settings) -> Settings:
    """Those of the settings that a mode uses."""
    return {key: value for key, value in settings.items() if mode in modes_of(key) or not modes_of(key)}


def modes_of(key: str) -> list[str]:
    """The modes that a setting is for; empty where it is for all."""
    return lanczos_schema()[key].get("x-modes", [])


def users(key: str) -> str:
    return " and ".join(modes_of(key))


def in_full(config: Config, mode: str, settings: Settings) -> Settings:
    return {**used_by(mode, config["lanczos"]), **settings}


def settings_of(config: Config, cell: Cell) -> Settings:
    """The settings of a cell's Lanczos run."""
    name = cell["variant"].removeprefix(MARK)
    settings = {**config["lanczos"], **own_settings(config, name)}
    return {key: value for key, value in settings.items() if key != "preset"}


def own_settings(config: Config, name: str) -> Settings:
    if name in config.get("variants", {}):
        return replaced(config["variants"][name])
    pairs = (pair.split("=", 1) for pair in name.split(",") if "=" in pair)
    point = {key: next(v for v in config["grid"][key] if word(key, v) == said) for key, said in pairs}
    return presets.filled(point)


def counterpart(config: Config, cell: Cell, mode: str, candidates: Iterable[str]) -> str | None:
    """The variant of a mode whose runs have the settings of this cell's, as far as the mode uses them."""
    names = list(candidates)
    if cell["variant"] in names:
        return str(cell["variant"])
    wanted = used_by(mode, settings_of(config, cell))
    same = (n for n in names if used_by(mode, settings_of(config, {**cell, "variant": n})) == wanted)
    return next(same, None)
