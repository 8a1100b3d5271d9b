"""What is wrong with a value by the sweep's schema, in words of the sweep file instead of JSON Schema's."""

import math
from collections.abc import Iterable
from typing import Any

from ritzflow.common.script_cli import nearest

LOSS_KEYS = ("label_smoothing", "class_weights", "delta", "reduction", "objective", "loss_is_convex")
# What a section holds, as it may be written.
EXAMPLES = {
    "models": "models: {mine: {data: {source: digits}, architecture: {kind: mlp}, training: {...}}}",
    "operators": "operators: {hessian: {}}",
    "data": "data: {source: digits}",
    "architecture": "architecture: {kind: mlp, hidden: [64]}",
    "training": "training: {steps: 2000, learning_rate: 0.1}",
    "lanczos": "lanczos: {k: 10}",
    "variants": "variants: {more: {max_iters: 40}}",
    "grid": "grid: {max_iters: [20, 40]}",
    "seeds": "seeds: [0, 1]",
    "probes": "probes: [0]",
    "reorth_modes": "reorth_modes: [full, off]",
    "hidden": "hidden: [64, 64]",
    "channels": "channels: [8, 16]",
    "steps": "steps: [0, final]",
}
# Usual words for keys that no likeness of letters finds.
ALSO_CALLED = {
    "lr": "learning_rate",
    "eta": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "epochs": "steps",
    "iterations": "max_iters",
    "iters": "max_iters",
    "num_eigenvalues": "k",
    "modes": "reorth_modes",
    "mode": "reorth_modes",
    "ops": "operators",
    "dataset": "source",
    "path": "source",
    "type": "kind",
    "widths": "hidden",
    "width": "hidden",
    "n_heads": "heads",
    "n_layers": "layers",
    "dim": "d_model",
    "precision": "dtype_compute",
    "window": "reorth_window",
    "period": "reorth_period",
}
WORDS = {
    "object": "a mapping of keys and values",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "left out",
}
OTHER_LOSSES = (
    "; a built-in network has cross_entropy, mse and bce alone: other losses and their options are keys of "
    "an architecture of kind module (docs/own-models.md)"
)


def explain(error: Any) -> str:
    """One sentence for a jsonschema error: where, what is wrong, what would be right."""
    place = ".".join(map(str, error.path)) or "the top level"
    return SENTENCES.get(error.validator, other)(error, place)


def unknown_key(error: Any, place: str) -> str:
    known = error.schema["properties"]
    unknown = [key for key in error.instance if key not in known]
    hints = {key: elsewhere(key, error.schema.get("$defs", {})) or way_out(key, known) for key in unknown}
    return "; ".join(f"unknown key '{key}' in '{place}'{hint}" for key, hint in hints.items())


def elsewhere(key: object, sections: dict[str, Any]) -> str:
    """Of a key at the top level: the section that it belongs to."""
    homes = [name for name in ("lanczos", "data") if key in sections.get(name, {}).get("properties", {})]
    return f"; it is a key of {homes[0]}" if homes else ""


def way_out(key: object, known: Iterable[str]) -> str:
    """What to write in place of an unknown key."""
    usual = ALSO_CALLED.get(str(key).lower())
    if usual and usual in known:
        return f"; did you mean '{usual}'?"
    return OTHER_LOSSES if key in LOSS_KEYS else nearest(str(key), known)


def missing_key(error: Any, place: str) -> str:
    missing = [key for key in error.validator_value if key not in error.instance]
    if missing == ["command"]:
        return f"'{place}' of a module is a command that writes its weights (command: ...), or left out"
    return f"missing key '{missing[0]}' in '{place}'"


def unknown_word(error: Any, place: str) -> str:
    choices = [str(choice) for choice in error.validator_value if choice is not None]
    hint = nearest(str(error.instance), choices)
    if error.path[-1] == "loss":
        hint = hint or OTHER_LOSSES
    return f"'{error.instance}' for '{place}' is not one of {', '.join(choices)}{hint}"


def wrong_letters(error: Any, place: str) -> str:
    if error.path[-1] == "module":
        return f"'{error.instance}' in '{place}' is not of the form package.module:function"
    allowed = "letters, digits, '_', '-' and single dots"
    return f"'{error.instance}' in '{place}' may hold only {allowed}, and no path"


def no_alternative(error: Any, place: str) -> str:
    """Of none of the forms that are allowed: the schema's description says which these are."""
    if "description" not in error.schema:
        return other(error, place)
    return f"'{error.instance}' for '{place}' is not right: {error.schema['description']}"


def wrong_type(error: Any, place: str) -> str:
    if isinstance(error.instance, float) and not math.isfinite(error.instance):
        return other(error, place)
    kinds = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    expected = " or ".join(WORDS[kind] for kind in kinds if kind != "null")
    example = EXAMPLES.get(str(error.path[-1])) if error.path else None
    found = "empty" if error.instance is None else f"{error.instance!r}"
    return f"'{place}' is {found}, expected {expected}{f': {example}' if example else ''}"


def twice(error: Any, place: str) -> str:
    again = next(item for i, item in enumerate(error.instance) if item in error.instance[:i])
    return f"'{place}' has {again!r} twice; list it once"


def empty(error: Any, place: str) -> str:
    example = EXAMPLES.get(str(error.path[-1])) if error.path else None
    return f"'{place}' is empty{f'; write {example}' if example else ''}"


def module_without_source(_: Any, place: str) -> str:
    return f"'{place}' of kind module needs 'module' and 'weights', or 'hf', a Hugging Face folder"


def command_of_built_in(_: Any, place: str) -> str:
    return f"'{place}.command' is for architecture.kind module; other models are trained here, by steps"


def other(error: Any, place: str) -> str:
    if isinstance(error.instance, float) and not math.isfinite(error.instance):
        return f"'{place}': {error.instance} is not a finite number"
    return f"'{place}': {error.message}"


SENTENCES = {
    "additionalProperties": unknown_key,
    "required": missing_key,
    "enum": unknown_word,
    "pattern": wrong_letters,
    "anyOf": no_alternative,
    "type": wrong_type,
    "uniqueItems": twice,
    "minItems": empty,
    "minProperties": empty,
    "oneOf": module_without_source,
    "not": command_of_built_in,
}
