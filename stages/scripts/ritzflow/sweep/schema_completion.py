"""A sweep file's values with YAML's misreadings repaired and the schema's defaults filled; checks nothing."""

import functools
import operator
from typing import Any

Schema = dict[str, Any]


def complete(value: Any, schema: Schema | bool, root: Schema) -> Any:
    """`value` as `schema`, a part of `root`, has it. What is wrong stays for the check to find."""
    if isinstance(schema, bool):
        return value
    schema = referenced(schema, root)
    value = repair(by_condition(value, schema, root), schema)
    if is_spelt_out_default(value, schema):
        return schema["default"]
    if isinstance(value, list):
        return [complete(item, schema.get("items", True), root) for item in value]
    return with_keys(value, schema, root) if isinstance(value, dict) else value


def referenced(schema: Schema, root: Schema) -> Schema:
    """The schema with what its `$ref` points at; its own words replace those."""
    if "$ref" not in schema:
        return schema
    place = schema["$ref"].removeprefix("#/").split("/")
    return {**functools.reduce(operator.getitem, place, root), **schema}


def by_condition(value: Any, schema: Schema, root: Schema) -> Any:
    """`value` completed by that branch of each `if` of the schema that is for it."""
    for branch in schema.get("allOf", []):
        if isinstance(value, dict):
            part = "then" if matches(value, branch["if"]) else "else"
            value = complete(value, branch.get(part, True), root)
    return value


def matches(value: Schema, condition: Schema) -> bool:
    constants = condition.get("properties", {}).items()
    there = set(condition.get("required", [])) <= value.keys()
    return there and all(value.get(key) == entry["const"] for key, entry in constants)


def is_spelt_out_default(value: Any, schema: Schema) -> bool:
    """Whether the value says what the stage does by itself where the key is left out."""
    return "x-default" in schema and bool(value == schema["x-default"])


def with_keys(value: Schema, schema: Schema, root: Schema) -> Schema:
    """Each key of the mapping completed, and those that it leaves out, where they have a default."""
    known = schema.get("properties", {})
    defaults = {
        key: entry["default"] for key, entry in known.items() if entry is not True and "default" in entry
    }
    other = schema.get("additionalProperties") or True
    return {key: complete(item, known.get(key, other), root) for key, item in {**defaults, **value}.items()}


def repair(value: Any, schema: Schema) -> Any:
    """YAML 1.1 reads an unquoted `off` as False and `1e-6` as a string: undo both by the schema."""
    if isinstance(value, bool) and "enum" in schema:
        spellings = ("on", "true") if value else ("off", "false")
        return next((s for s in spellings if s in schema["enum"]), value)
    if isinstance(value, str) and {"number", "integer"} & set(types(schema)):
        return number(value)
    if isinstance(value, float) and value.is_integer() and "integer" in types(schema):
        return int(value)
    return value


def types(schema: Schema) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def number(text: str) -> int | float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and not set(text) & set(".eE") else value
