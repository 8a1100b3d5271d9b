"""The text of a sweep file as a mapping; what cannot be read, or is there twice, is refused by its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ritzflow.common.script_cli import InputError


class ConfigError(InputError):
    """One line for each thing that is wrong with a sweep file."""


def read(path: str) -> dict[str, Any]:
    """The file's mapping, as YAML has it. Raises ConfigError."""
    text = text_of(path)
    try:
        twice = list(repeated(yaml.compose(text, Loader=yaml.SafeLoader), set()))
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if twice:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in twice))
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping with name, models and operators")
    return raw


def text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a folder, expected a sweep file in YAML") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text, expected a sweep file in YAML") from None


def repeated(node: yaml.Node | None, seen: set[int]) -> Iterator[str]:
    """Keys that a mapping has twice: of these YAML's reader silently takes the last one.

    seen: nodes that were looked at; an alias is the very node of its anchor.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield from repeated_keys(node)
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from repeated(part, seen)


def repeated_keys(node: yaml.MappingNode) -> Iterator[str]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            yield f"line {line}: key '{key.value}' is there already, in line {lines[key.value]}; keep one"
        lines.setdefault(key.value, line)
