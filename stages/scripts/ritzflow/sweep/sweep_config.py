"""A sweep file checked against configs/schema.json, with its defaults.

Errors are one line each and name the file, the key and the nearest right key.
"""

import hashlib
import json
import math
from typing import Any

from jsonschema import Draft202012Validator, validators

from ritzflow.common.locations import ROOT
from ritzflow.sweep import blocks, data_defaults, model_steps, sweep_checks, sweep_file
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
    config = complete(name_kinds(raw), schema, schema)
    errors = sorted(Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    if errors:
        raise ConfigError("\n".join(dict.fromkeys(f"{origin}: {explain(error)}" for error in errors)))
    if wrong := list(sweep_checks.problems(config, schema)):
        raise ConfigError("\n".join(f"{origin}: {problem}" for problem in wrong))
    blocks.check(config, origin)
    for name, model in config["models"].items():
        data_defaults.fill(model["data"], trained_here=model_steps.is_trained(model))
        model["steps"] = model_steps.resolved(model, config["seeds"], f"{origin}: models.{name}.steps")
    return config


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


def canonical(config: Config) -> str:
    """The configuration as one line of JSON with sorted keys: equal settings give equal text."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def digest(config: Config) -> str:
    return hashlib.sha256(canonical(config).encode()).hexdigest()
