"""What is wrong with a value by the sweep's schema, in words of the sweep file instead of JSON Schema's."""

import math
from collections.abc import Iterable
from typing import Any

from ritzflow.common.script_cli import nearest

LOSS_KEYS = ("label_smoothing", "class_weights", "delta", "reduction", "objective", "loss_is_convex")
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
    return "; ".join(f"unknown key '{key}' in '{place}'{way_out(key, known)}" for key in unknown)


def way_out(key: object, known: Iterable[str]) -> str:
    """What to write in place of an unknown key."""
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
    "oneOf": module_without_source,
    "not": command_of_built_in,
}
