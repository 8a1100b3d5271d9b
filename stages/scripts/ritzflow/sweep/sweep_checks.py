"""What a sweep file may say by its schema, but what would be ignored or is known to fail."""

from collections.abc import Iterator
from typing import Any

from ritzflow.common import weights_files
from ritzflow.sweep import variant_checks
from ritzflow.sweep.types import Config


def problems(config: Config, schema: dict[str, Any]) -> Iterator[str]:
    """One line for each, of a configuration that is valid by the schema and has its defaults."""
    keys = schema["$defs"]["operator"]["properties"]
    for name, operator in config["operators"].items():
        yield from ignored(f"operators.{name}", operator, keys)
        yield from regularized(f"operators.{name}", operator)
    for name, model in config["models"].items():
        if model["data"]["targets"] and model["data"]["label"]:
            yield f"'models.{name}.data.label' is another name of 'targets'; leave one of them out"
    yield from trainings(config)
    yield from variant_checks.problems(config)


def trainings(config: Config) -> Iterator[str]:
    """Commands that would write what another one writes, or what the model does not read."""
    writers: dict[str, tuple[str, str | None]] = {}
    for name, model in config["models"].items():
        key = weights_files.key_of(model["architecture"])
        weights = model["architecture"].get(key)
        command = model.get("training", {}).get("command")
        if command and "{seed}" not in weights and len(config["seeds"]) > 1:
            place = f"models.{name}.architecture.{key}"
            yield f"'{place}' has no {{seed}}: the trainings of all seeds would write to one place"
        other, theirs = writers.setdefault(weights or name, (name, command))
        if theirs != command:
            yield f"'models.{name}' and 'models.{other}' have the same weights; give both the same command"


def ignored(place: str, operator: dict[str, Any], keys: dict[str, Any]) -> Iterator[str]:
    """Keys that say nothing of the operator's kind: its table row would pass for what it is not."""
    for key, value in operator.items():
        kinds = keys[key].get("x-kinds")
        if kinds and operator["kind"] not in kinds and value != keys[key]["default"]:
            yield f"'{place}.{key}' is for {listed(kinds)}, not {operator['kind']}; leave it out"


def listed(kinds: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))


def regularized(place: str, operator: dict[str, Any]) -> Iterator[str]:
    mode = operator["regularization_mode"]
    if operator["kind"] == "hessian" and mode in ("fixed", "relative"):
        yield f"'{place}.regularization_mode': {mode} is for semi-definite operators; off or auto"
