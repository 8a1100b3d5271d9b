"""A sweep file checked against configs/schema.json, with its defaults.

Errors are one line each and name the file, the key and the nearest right key.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator, validators

from ritzflow.common import weights_files
from ritzflow.common.locations import ROOT
from ritzflow.common.script_cli import InputError, nearest
from ritzflow.sweep import blocks, data_defaults, sweep_checks, sweep_file
from ritzflow.sweep.sweep_file import ConfigError
from ritzflow.sweep.types import Config

SCHEMA = ROOT / "configs" / "schema.json"
LOSS_KEYS = ("label_smoothing", "class_weights", "delta", "reduction", "objective", "loss_is_convex")
OTHER_LOSSES = (
    "; a built-in network has cross_entropy, mse and bce alone: other losses and their options are keys of "
    "an architecture of kind module (docs/own-models.md)"
)


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
        data_defaults.fill(model["data"], trained_here=is_trained(model))
        model["steps"] = resolve_steps(model, config["seeds"], f"{origin}: models.{name}.steps")
    return config


def name_kinds(raw: dict[str, Any]) -> dict[str, Any]:
    """An operator entry without `kind` is of the kind it is named after."""
    operators = raw.get("operators")
    if not isinstance(operators, dict):
        return raw
    entries = {name: options or {} for name, options in operators.items()}
    named = {k: {"kind": k, **v} if isinstance(v, dict) else v for k, v in entries.items()}
    return {**raw, "operators": named}


def complete(value: Any, schema: Any, root: dict[str, Any]) -> Any:
    """`value` with YAML's misreadings repaired and the schema's defaults filled, without any check."""
    if schema is True:
        return value
    if "$ref" in schema:
        schema = {**follow(schema["$ref"], root), **schema}
    for branch in schema.get("allOf", []):
        if isinstance(value, dict):
            part = "then" if matches(value, branch["if"]) else "else"
            value = complete(value, branch.get(part, True), root)
    value = repair(value, schema)
    if "x-default" in schema and value == schema["x-default"]:  # written out: what the stage does by itself
        return schema["default"]
    if isinstance(value, list) and "items" in schema:
        return [complete(item, schema["items"], root) for item in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    defaults = {
        key: entry["default"] for key, entry in known.items() if entry is not True and "default" in entry
    }
    other = schema.get("additionalProperties") or True
    return {key: complete(item, known.get(key, other), root) for key, item in {**defaults, **value}.items()}


def follow(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    return root["$defs"][reference.removeprefix("#/$defs/")]


def matches(value: dict[str, Any], condition: dict[str, Any]) -> bool:
    constants = condition.get("properties", {}).items()
    there = set(condition.get("required", [])) <= value.keys()
    return there and all(value.get(key) == entry["const"] for key, entry in constants)


def repair(value: Any, schema: dict[str, Any]) -> Any:
    """YAML 1.1 reads an unquoted `off` as False and `1e-6` as a string: undo both by the schema."""
    if isinstance(value, bool) and "enum" in schema:
        spellings = ("on", "true") if value else ("off", "false")
        return next((s for s in spellings if s in schema["enum"]), value)
    if isinstance(value, str) and {"number", "integer"} & set(types(schema)):
        return number(value)
    if isinstance(value, float) and value.is_integer() and "integer" in types(schema):
        return int(value)
    return value


def types(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def number(text: str) -> int | float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and not set(text) & set(".eE") else value


def explain(error: Any) -> str:
    """One sentence for a jsonschema error: where, what is wrong, what would be right."""
    place = ".".join(map(str, error.path)) or "the top level"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = [key for key in error.instance if key not in known]
        return "; ".join(f"unknown key '{key}' in '{place}'{way_out(key, known)}" for key in unknown)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        if missing == ["command"]:
            return f"'{place}' of a module is a command that writes its weights (command: ...), or left out"
        return f"missing key '{missing[0]}' in '{place}'"
    if error.validator == "enum":
        choices = [str(choice) for choice in error.validator_value if choice is not None]
        wrong = f"'{error.instance}' for '{place}' is not one of {', '.join(choices)}"
        hint = nearest(str(error.instance), choices)
        return wrong + (OTHER_LOSSES if error.path[-1] == "loss" and not hint else hint)
    if error.validator == "pattern" and error.path[-1] == "module":
        return f"'{error.instance}' in '{place}' is not of the form package.module:function"
    if error.validator == "pattern":
        allowed = "letters, digits, '_', '-' and, in the sweep's name, single dots"
        return f"'{error.instance}' in '{place}' may hold only {allowed}, and no path"
    if error.validator == "anyOf" and "description" in error.schema:
        return f"'{error.instance}' for '{place}' is not right: {error.schema['description']}"
    if error.validator == "oneOf":
        return f"'{place}' of kind module needs 'module' and 'weights', or 'hf', a Hugging Face folder"
    if error.validator == "not":
        return f"'{place}.command' is for architecture.kind module; other models are trained here, by steps"
    if isinstance(error.instance, float) and not math.isfinite(error.instance):
        return f"'{place}': {error.instance} is not a finite number"
    return f"'{place}': {error.message}"


def way_out(key: object, known: Iterable[str]) -> str:
    """What to write in place of an unknown key."""
    return OTHER_LOSSES if key in LOSS_KEYS else nearest(str(key), known)


def resolve_steps(model: dict[str, Any], seeds: list[int], place: str) -> list[Any] | str:
    """Training steps in ascending order; `final` is their number, 0 for weights without {step} in their name.

    With it they are those of the files, and stay as listed where a command is to write these."""
    if not is_trained(model) and weights_files.STEP in weights_of(model):
        listed = model["steps"]
        if not has_known_steps(model):
            return listed if has_command(model) else steps_of_files(model, seeds, place)
        if len(set(listed)) < len(listed):
            raise ConfigError(f"{place}: a step is listed twice")
        return sorted(listed)
    if model["steps"] == weights_files.ALL:
        raise ConfigError(
            f"{place}: 'all' is for a module whose weights, or folder, have {{step}} in their name"
        )
    final = model["training"]["steps"] if is_trained(model) else 0
    steps = sorted(final if step == "final" else step for step in model["steps"])
    if steps[-1] > final and not is_trained(model):
        key = weights_files.key_of(model["architecture"])
        raise ConfigError(f"{place}: '{key}' has no {{step}} in its name: its only step is 'final'")
    if steps[-1] > final:
        raise ConfigError(f"{place}: step {steps[-1]} exceeds the last training step, {final}")
    if len(set(steps)) < len(steps):
        raise ConfigError(f"{place}: a step is listed twice ('final' is {final})")
    return steps


def has_known_steps(model: dict[str, Any]) -> bool:
    """Whether the steps are numbers, not `final` or `all` of weights that a command has yet to write."""
    return all(isinstance(step, int) for step in model["steps"])


def has_command(model: dict[str, Any]) -> bool:
    """Whether a command of the user's trains the module."""
    return not is_trained(model) and "training" in model


def steps_of_files(model: dict[str, Any], seeds: list[int], place: str) -> list[int]:
    """The steps of which there are weights, the same for every seed. Raises ConfigError."""
    by_seed = {}
    for seed in seeds:
        pattern = weights_files.of_seed(weights_of(model), seed)
        try:
            by_seed[seed] = list(weights_files.chosen(pattern, model["steps"]))
        except InputError as error:
            raise ConfigError(f"{place}: {error}") from None
        if by_seed[seed] != by_seed[seeds[0]]:
            first, other = (", ".join(map(str, by_seed[s])) for s in (seeds[0], seed))
            wanted = "all" if model["steps"] == weights_files.ALL else "these"
            raise ConfigError(
                f"{place}: {wanted} are {first} of seed {seeds[0]}, but {other} of seed {seed}; a row of the "
                "table averages over seeds: list the numbers"
            )
    return by_seed[seeds[0]]


def weights_of(model: dict[str, Any]) -> str:
    """Where the weights of a module are, as the sweep file says it."""
    return model["architecture"][weights_files.key_of(model["architecture"])]


def is_trained(model: dict[str, Any]) -> bool:
    """Whether the sweep trains the model; a module of the user's own comes with its weights."""
    return model["architecture"]["kind"] != "module"


def load(path: str) -> dict[str, Any]:
    """Read and resolve a sweep file. Raises ConfigError."""
    return resolve(sweep_file.read(path), path)


def canonical(config: Config) -> str:
    """The configuration as one line of JSON with sorted keys: equal settings give equal text."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def digest(config: Config) -> str:
    return hashlib.sha256(canonical(config).encode()).hexdigest()
