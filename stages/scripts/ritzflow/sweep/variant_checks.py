"""What a sweep file may say of variants by its schema, but what no cell would show."""

from collections.abc import Iterable, Iterator
from typing import Any

from ritzflow.common.script_cli import nearest
from ritzflow.sweep import presets, variants
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
        for word in entry.get(key, []):
            yield from unknown(word, f"variants.{name}.{key}", key, config[key])


def unknown(word: object, place: str, key: str, values: Iterable[object]) -> Iterator[str]:
    known = list(map(str, values))
    if str(word) not in known:
        yield f"'{word}' in '{place}' is not one of {key}: {', '.join(known)}{nearest(str(word), known)}"


def own_settings(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the settings of each variant."""
    for name, entry in config.get("variants", {}).items():
        yield f"variants.{name}", variants.replaced(entry)
    for point in variants.points(config):
        yield "grid", presets.filled(point)


def restarts(place: str, lanczos: dict[str, Any]) -> Iterator[str]:
    """Where a run restarts, the wanted vectors and the next two must fit into the basis."""
    k, held = lanczos["k"], lanczos["krylov_dim"]
    if held is not None and held < k + 2:
        yield f"'{place}.krylov_dim': {held} is too small for k: {k}; at least {k + 2}, better {2 * k + 10}"
