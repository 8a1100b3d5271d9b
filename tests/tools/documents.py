"""Tables of docs/formats.md and configs/README.md and options of configs/schema.json, from the programs.

tests/tools/documents.py            writes them
tests/tools/documents.py --check    exit status 1 where one is out of date
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FORMATS, README, SCHEMA = (
    ROOT / path for path in ("docs/formats.md", "configs/README.md", "configs/schema.json")
)
KINDS = ["hessian", "ggn", "mc_fisher", "empirical_fisher", "kfac", "ekfac"]
# Settings that a sweep gives by its axes and files, or leaves to the stages.
NOT_SWEPT = {
    "data", "model", "step", "operator", "kfac", "matrix", "seed", "no_ekfac", "reorth_mode",
    "no_certificate", "certificate_delta", "certificate_budget", "basis_memory",
}  # fmt: skip
SWEPT = {"operator": ("risk", "operator", "collection", "metrics"), "lanczos": ("lanczos", "basis")}
# Values that a sweep has by default, where null does not leave them to the stage.
DEFAULTS = {
    "k": 10,
    "max_iters": 100,
    "tol": 1e-6,
    "which": "largest",
    "dtype_compute": "float32",
    "params_filter": [],
}
TYPES = {"memory": "string", "text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
Setting = dict[str, Any]


def catalogue() -> dict[str, Any]:
    done = subprocess.run(
        [ROOT / "build/bin/validate", "--catalogue"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout, parse_float=plain)


def plain(text: str) -> float | int:
    """0.0 as 0."""
    return int(value) if (value := float(text)).is_integer() else value


def said(value: Any) -> str:
    """JSON with 1e-8 for 1e-08."""
    return re.sub(r"(?<=\d)e-0(\d)", r"e-\1", json.dumps(value, ensure_ascii=False))


def swept(settings: dict[str, list[Setting]], section: str) -> dict[str, list[Setting]]:
    """The settings of a section of sweep files by name: one, or one of each stage that has it."""
    found: dict[str, list[Setting]] = {}
    for group in SWEPT[section]:
        for setting in settings[group]:
            if setting["name"] not in NOT_SWEPT:
                shared = group == "risk"  # of collect-kfac as well
                found.setdefault(setting["name"], []).append(setting | ({"only_for": []} if shared else {}))
    return found


def size(number: int) -> str:
    return next(
        f"{number >> shift}{unit}" for shift, unit in ((30, "GiB"), (20, "MiB"), (0, "")) if number >> shift
    )


def default_of(setting: Setting) -> Any:
    """What the stage does by itself; None where that is no value."""
    value = setting.get("default")
    return size(value) if setting["type"] == "memory" and value else value


def text_of(settings: list[Setting], quote: str = "") -> str:
    """What the documents say of a setting."""
    parts = []
    for setting in settings:
        kinds = ", ".join(setting.get("only_for", []))
        words = ", ".join(f"{quote}{word}{quote}" for word in setting.get("words", []))
        parts.append(": ".join(filter(None, (kinds, words, setting["doc"]))))
    return "; ".join(parts)


def option(name: str, settings: list[Setting]) -> dict[str, Any]:
    """The entry of schema.json."""
    setting = settings[0]
    text = text_of(settings)
    entry: dict[str, Any] = {"description": f"{text[0].upper()}{text[1:]}."}
    users = dict.fromkeys(user for s in settings for user in s.get("only_for", []))
    kinds, modes = [kind for kind in KINDS if kind in users], [user for user in users if user not in KINDS]
    entry |= {key: found for key, found in (("x-kinds", kinds), ("x-modes", modes)) if found}
    fixed = name in DEFAULTS or setting["type"] == "boolean"
    null = [] if fixed else [None]
    if choices := setting.get("words") or setting.get("one_of"):
        entry["enum"] = choices + null
    elif setting["type"] == "list":
        entry |= {"type": "array", "items": {"type": "string", "minLength": 1}}
    else:
        kind = TYPES[setting["type"]]
        entry["type"] = kind if fixed else [kind, "null"]
        entry |= bounds(setting)
    entry["default"] = DEFAULTS.get(name, False) if fixed else None
    if not fixed and default_of(setting) is not None:
        entry["x-default"] = default_of(setting)
    return entry


def bounds(setting: Setting) -> dict[str, Any]:
    """Where 0 stands for no value, a sweep file has null."""
    known = {
        key: setting[key] for key in ("minimum", "exclusiveMinimum", "exclusiveMaximum") if key in setting
    }
    if "unset" in setting and known.get("minimum") == 0:
        return {"minimum": 1} if setting["type"] == "integer" else {"exclusiveMinimum": 0}
    return known


def schema(text: str, settings: dict[str, list[Setting]]) -> str:
    whole = json.loads(text)
    for section in SWEPT:
        properties = whole["$defs"][section]["properties"]
        properties |= {name: option(name, found) for name, found in swept(settings, section).items()}
    kinds = [kind for kind in words_of(settings["operator"], "operator") if kind != "matrix"]
    whole["$defs"]["operator"]["properties"]["kind"]["enum"] = kinds
    whole["properties"]["reorth_modes"]["items"]["enum"] = words_of(settings["lanczos"], "reorth_mode")
    for name in whole["$defs"]["lanczos"]["properties"]:
        setting = {"$ref": f"#/$defs/lanczos/properties/{name}"}
        whole["$defs"]["variant"]["properties"][name] = setting
        whole["$defs"]["grid"]["properties"][name] = {"$ref": "#/$defs/values", "items": setting}
    return laid_out(whole) + "\n"


def words_of(settings: list[Setting], name: str) -> list[str]:
    return next(setting["words"] for setting in settings if setting["name"] == name)


def laid_out(value: Any, indent: str = "", before: int = 0) -> str:
    """JSON with what fits into a line on one."""
    line = said(value)
    if not value or not isinstance(value, dict | list) or len(indent) + before + len(line) <= 119:
        return line
    inner = indent + "  "
    if isinstance(value, list):
        items = [laid_out(item, inner) for item in value]
        return "[\n" + ",\n".join(inner + item for item in items) + "\n" + indent + "]"
    pairs = [f"{json.dumps(key)}: {laid_out(item, inner, len(key) + 4)}" for key, item in value.items()]
    return "{\n" + ",\n".join(inner + pair for pair in pairs) + "\n" + indent + "}"


def default_text(name: str, setting: Setting) -> str:
    if "unset" in setting and not DEFAULTS.get(name):
        return setting["unset"]
    value = DEFAULTS.get(name, default_of(setting))
    return f"`{value}`" if isinstance(value, str) else f"`{said(value)}`"


def row(name: str, settings: list[Setting]) -> str:
    bar = r"\|"
    return f"| `{name}` | {default_text(name, settings[0])} | {text_of(settings, '`').replace('|', bar)} |"


def rows_of_readme(text: str, settings: dict[str, list[Setting]]) -> str:
    for section, heading in (("operator", "## `operators.<operator>`"), ("lanczos", "## `lanczos`")):
        found = {name: row(name, of_name) for name, of_name in swept(settings, section).items()}
        begin = text.index(heading)
        end = text.find("\n## ", begin + 1) if "\n## " in text[begin + 1 :] else len(text)
        text = text[:begin] + "\n".join(with_rows(text[begin:end].split("\n"), found)) + text[end:]
    return text


def with_rows(lines: list[str], found: dict[str, str]) -> Iterator[str]:
    """The lines, rows of the table that `found` has replaced, and those that the table lacks added below."""
    left = dict(found)
    in_table = False
    for line in lines:
        name = re.match(r"\| `(\w+)` \|", line)
        if in_table and not name:
            yield from left.values()
            left = {}
        in_table = bool(name)
        yield left.pop(name.group(1), line) if name else line


def rows_of_formats(text: str, formats: dict[str, list[str]]) -> str:
    common = ("| `format` |", "| `format_version` |", "| `content_sha256` |")
    for name, rows in formats.items():
        begin = text.index(f"## {name}\n")
        end = text.find("\n## ", begin + 1) if "\n## " in text[begin + 1 :] else len(text)
        section = [line for line in text[begin:end].split("\n") if not line.startswith("| `")]
        at = next(i for i, line in enumerate(section) if line.startswith("|---")) + 1
        section[at:at] = [line for line in rows if not line.startswith(common)]
        text = text[:begin] + "\n".join(section) + text[end:]
    return text


def documents() -> dict[Path, str]:
    """What the files should hold."""
    known = catalogue()
    return {
        FORMATS: rows_of_formats(FORMATS.read_text(), known["formats"]),
        README: rows_of_readme(README.read_text(), known["settings"]),
        SCHEMA: schema(SCHEMA.read_text(), known["settings"]),
    }


def main() -> int:
    """Exit status 1 if a file was to be checked and is out of date."""
    stale = {path: text for path, text in documents().items() if path.read_text() != text}
    if "--check" not in sys.argv:
        for path, text in stale.items():
            path.write_text(text)
        return 0
    for path in stale:
        print(f"{path.relative_to(ROOT)} is out of date: run tests/tools/documents.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
