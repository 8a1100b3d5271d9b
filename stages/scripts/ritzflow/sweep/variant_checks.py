"""What a sweep file may say of variants by its schema, but what no cell would show."""

from collections.abc import Iterator
from typing import Any

from ritzflow.common.script_cli import nearest
from ritzflow.sweep import cells, variants
from ritzflow.sweep.types import Config


def problems(config: Config) -> Iterator[str]:
    """One line for each."""
    named = config.get("variants", {})
    for name, entry in named.items():
        yield from unknown_words(config, name, entry)
        if name == variants.BASE and variants.replaced(entry):
            yield f"'variants.{name}' is the name of 'lanczos' as it is; give other settings another name"
    for key in config.get("grid", {}):
        if not any(variants.used_by(mode, {key: None}) for mode in config["reorth_modes"]):
            yield f"'grid.{key}' is for {variants.users(key)}: none of reorth_modes uses it"
    yield from restarts("lanczos", config["lanczos"])
    for place, settings in own_settings(config):
        if settings.keys() & {"k", "krylov_dim"}:
            yield from restarts(place, {**config["lanczos"], **settings})


def unknown_words(config: Config, name: str, entry: dict[str, Any]) -> Iterator[str]:
    for key in variants.SCOPE:
        known = list(map(str, config[key]))
        for word in entry.get(key, []):
            if word not in known:
                place = f"variants.{name}.{key}"
                yield f"'{word}' in '{place}' is not one of {key}: {', '.join(known)}{nearest(word, known)}"


def own_settings(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the settings of each variant."""
    for name, entry in config.get("variants", {}).items():
        yield f"variants.{name}", variants.replaced(entry)
    for point in variants.points(config):
        yield "grid", point


def restarts(place: str, lanczos: dict[str, Any]) -> Iterator[str]:
    """Where a run restarts, the wanted vectors and the next two must fit into the basis."""
    k, held = lanczos["k"], lanczos["krylov_dim"]
    if held is not None and held < k + 2:
        yield f"'{place}.krylov_dim': {held} is too small for k: {k}; at least {k + 2}, better {2 * k + 10}"


def unused(config: Config) -> Iterator[str]:
    """Variants that no cell has."""
    there = {cell["variant"] for cell in cells.expected(config)}
    for name, entry in config.get("variants", {}).items():
        if variants.MARK + name not in there:
            yield f"no cell uses 'variants.{name}'{why(config, entry)}"


def why(config: Config, entry: dict[str, Any]) -> str:
    settings = variants.replaced(entry)
    modes = entry.get("reorth_modes") or config["reorth_modes"]
    if settings and not any(variants.used_by(mode, settings) for mode in modes):
        return f": {', '.join(settings)} is for {variants.users(next(iter(settings)))}"
    return ": another one has the same settings in its modes"
