"""The schema of sweep files: valid, described, and complete beside its documents and flags."""

import json

import pytest
from jsonschema import Draft202012Validator
from scripts_under_test import ROOT

from ritzflow.common.script_cli import Parser
from ritzflow.sweep import sweep_config


@pytest.mark.parametrize("name", ["demo", "digits-resnet", "own-model", "smollm2", "tiny"])
def test_shipped_sweep_files_are_valid(name):
    assert sweep_config.load(str(ROOT / "configs" / f"{name}.yaml"))["name"] == name


def test_schema_is_a_valid_draft_2020_12_schema():
    Draft202012Validator.check_schema(json.loads(sweep_config.SCHEMA.read_text()))


def keys(schema):
    for key, entry in schema.get("properties", {}).items():
        yield key
        if isinstance(entry, dict):
            yield from keys(entry)
    for entry in schema.get("$defs", {}).values():
        yield from keys(entry)


def test_readme_names_every_key():
    readme = (ROOT / "configs" / "README.md").read_text()
    missing = [
        key for key in keys(json.loads(sweep_config.SCHEMA.read_text())) if f"| `{key}` |" not in readme
    ]
    assert missing == []


def described(schema):
    """Keys of a schema without a description of their own or of what they refer to."""
    for key, entry in schema.get("properties", {}).items():
        if entry is not True and "description" not in entry and "$ref" not in entry:
            yield key
    for entry in schema.get("$defs", {}).values():
        yield from described(entry)


def test_every_key_of_the_schema_is_described():
    assert list(described(json.loads(sweep_config.SCHEMA.read_text()))) == []


# Of these a sweep has the values elsewhere: operators say products and types, the sweep where files lie.
OF_THE_SWEEP = {"help", "version", "steps", "products", "dtype_compute", "data", "packages", "out"}


def test_every_flag_of_an_export_is_a_key_of_a_module():
    from ritzflow.export import export_flags  # imports torch

    parser = Parser("x", 1, "x")
    export_flags.declare(parser)
    keys_of_modules = json.loads(sweep_config.SCHEMA.read_text())["$defs"]["module"]["properties"]
    assert {action.dest for action in parser._actions} - OF_THE_SWEEP == keys_of_modules.keys() - {"kind"}
