"""A sweep file checked against configs/schema.json, with its defaults.

Errors are one line each and name the file, the key and the nearest right key.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, validators

from ritzflow.common.locations import ROOT
from ritzflow.common.script_cli import InputError
from ritzflow.sweep import (
    baseline,
    blocks,
    cell_checks,
    cells,
    data_defaults,
    known_refusals,
    model_steps,
    presets,
    sweep_checks,
    sweep_file,
)
from ritzflow.sweep.schema_completion import complete
from ritzflow.sweep.schema_errors import explain
from ritzflow.sweep.sweep_file import ConfigError
from ritzflow.sweep.types import Config

SCHEMA = ROOT / "configs" / "schema.json"


def is_number(_: object, value: Any) -> bool:
    """YAML has `.nan` and `.inf`, which pass every bound of a schema or none; no setting may be one."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value)


Validator = validators.extend(
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("number", is_number)
)


def resolve(raw: dict[str, Any], origin: str) -> dict[str, Any]:
    """The complete configuration: spellings repaired, checked, defaults filled, steps as numbers.

    origin: the file's name, for messages. Raises ConfigError.
    """
    schema = json.loads(SCHEMA.read_text())
    config = complete(presets.of_sweep(name_kinds(baseline.spelt(raw))), schema, schema)
    errors = sorted(Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    refuse(origin, map(explain, errors))
    refuse(origin, sweep_checks.problems(config, schema))
    blocks.check(config, origin)
    refuse(origin, cell_checks.unused_names(config))
    for name, model in config["models"].items():
        data_defaults.fill(model["data"], trained_here=model_steps.is_trained(model))
        model["steps"] = model_steps.resolved(
            model, cells.seeds_of(config, name), f"{origin}: models.{name}.steps"
        )
    refuse(origin, cell_checks.problems(config))
    refuse(origin, known_refusals.problems(config))
    refuse(origin, baseline.problems(config))
    return baseline.by_axis(config)


def refuse(origin: str, problems: Iterable[str]) -> None:
    """Raises ConfigError where there is a problem, with a line for each."""
    if lines := list(dict.fromkeys(f"{origin}: {problem}" for problem in problems)):
        raise ConfigError("\n".join(lines))


def name_kinds(raw: dict[str, Any]) -> dict[str, Any]:
    """An operator entry without `kind` is of the kind it is named after."""
    operators = raw.get("operators")
    if not isinstance(operators, dict):
        return raw
    entries = {name: options or {} for name, options in operators.items()}
    named = {k: {"kind": k, **v} if isinstance(v, dict) else v for k, v in entries.items()}
    return {**raw, "operators": named}


def load(path: str) -> dict[str, Any]:
    """Read and resolve a sweep file. Raises ConfigError."""
    return resolve(sweep_file.read(path), path)


def of_results(results: Path) -> dict[str, Any]:
    """The complete configuration of the sweep whose results lie in a folder. Raises InputError."""
    path = results / "sweep.json"
    if not path.is_file():
        raise InputError(f"{results}: no sweep.json; expected the results folder of a sweep")
    return load(str(path))


def canonical(config: Config) -> str:
    """The configuration as one line of JSON with sorted keys: equal settings give equal text.

    Those of variants and grid stay as they are: cells have their names and order from them.
    """
    in_order = json.loads(json.dumps(config, sort_keys=True))
    in_order |= {key: config[key] for key in ("variants", "grid") if key in config}
    return json.dumps(in_order, separators=(",", ":"))


def digest(config: Config) -> str:
    return hashlib.sha256(canonical(config).encode()).hexdigest()
