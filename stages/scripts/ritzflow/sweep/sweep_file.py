"""The text of a sweep file as a mapping; what cannot be read, or is there twice, is refused by its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ritzflow.common.script_cli import InputError

TEXT = "tag:yaml.org,2002:str"
VALUES = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null", "timestamp")}


class ConfigError(InputError):
    """One line for each thing that is wrong with a sweep file."""


class KeysAsWritten(yaml.SafeLoader):
    """Keys are names: 0.10 and off stay as they are written, where YAML reads 0.1 and false."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag in VALUES:
                key.tag = TEXT
        return super().construct_mapping(node, deep)


def read(path: str) -> dict[str, Any]:
    """The file's mapping, its keys as written. Raises ConfigError."""
    text = text_of(path)
    try:
        twice = list(repeated(yaml.compose(text, Loader=yaml.SafeLoader), set()))
        raw = yaml.load(text, Loader=KeysAsWritten)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if twice:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in twice))
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping with name, models and operators")
    return raw


def with_keys_of(raw: Any, written: Any) -> Any:
    """What another reader of YAML has made of a file, with the keys that the file has."""
    if not isinstance(raw, dict):
        return raw
    written = written if isinstance(written, dict) else {}
    names = {yaml.safe_load(key): key for key in written}
    named = {key if isinstance(key, str) else names.get(key, str(key)): item for key, item in raw.items()}
    return {key: with_keys_of(item, written.get(key)) for key, item in named.items()}


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
    lines: dict[Any, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line, value = key.start_mark.line + 1, meaning(key)
        if value in lines:
            yield f"line {line}: key '{key.value}' is there already, in line {lines[value]}; keep one"
        lines.setdefault(value, line)


def meaning(key: yaml.ScalarNode) -> Any:
    """0.1 and 0.10 are one key for Snakemake's reader."""
    return yaml.safe_load(key.value) if key.tag in VALUES else key.value
