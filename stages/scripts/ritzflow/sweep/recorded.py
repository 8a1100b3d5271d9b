"""What an artifact says of its making: program, algorithm version, settings, digests of its inputs."""

import hashlib
import json
import re
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py

# Flags that change no bit of a result, and those that name files, which are compared by digest.
NO_SETTINGS = {"out", "threads", "quiet", "log_level", "checkpoint", "checkpoint_interval", "keep_checkpoint"}
FILES = {"data", "model", "kfac", "lanczos", "ritz", "density", "spec", "packages"}
FACTS = ("stage", "algorithm", "command", "inputs", "files")
ROLES = ("data", "model", "kfac", "operator", "lanczos", "ritz", "density")


class Unreadable(Exception):
    """A file that is there but no artifact any more: one line that says why."""


@dataclass
class Record:
    """settings by flag; inputs: digests by role; files: the user's; points: digests of a model's steps."""

    stage: str
    algorithm: int | None
    settings: dict[str, Any]
    inputs: dict[str, list[str]]
    content: str
    files: dict[str, str] = field(default_factory=dict)
    points: dict[int, str] = field(default_factory=dict)


def read(path: Path) -> Record:
    """The record of an artifact of a sweep. Raises Unreadable, and FileNotFoundError where there is none."""
    try:
        return from_json(path) if path.suffix == ".json" else from_hdf5(path)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise Unreadable(f"cannot be read ({' '.join(str(error).split())})") from None


def stamp(path: Path) -> list[int]:
    """What changes when a file does: size, dates and inode. Raises OSError."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


class Memory:
    """Records by path, read once for each size, dates and inode of a file; `known` can be kept as JSON."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def read(self, path: Path) -> Record:
        """As `read`."""
        key, now = str(path), stamp(path)
        if key not in self.known or self.known[key][0] != now:
            self.known[key] = [now, asdict(read(path))]
        fields = self.known[key][1]
        return Record(**{**fields, "points": {int(step): d for step, d in fields["points"].items()}})


def from_json(path: Path) -> Record:
    """metrics.json and comparison.json name algorithm, settings and digests among their fields."""
    raw = path.read_bytes()
    said = json.loads(raw)
    if not isinstance(said, dict) or said.get("content_sha256") != text_digest(raw):
        raise ValueError("its text is not that of its digest")
    if path.stem == "training":
        facts = {name: said[name] for name in ("stage", "algorithm", "settings", "files")}
        return Record(**facts, inputs={}, content=hashlib.sha256(raw).hexdigest())
    stage = {"metrics": "metrics", "comparison": "compare-kfac"}[path.stem]
    settings = {name: said[name] for name in ("regularization_mode", "regularization", "k") if name in said}
    return Record(
        stage=stage,
        algorithm=said.get(f"{stage.replace('-', '_')}_algorithm"),
        settings=settings,
        inputs={role: [said[f"{role}_sha256"]] for role in ROLES if said.get(f"{role}_sha256")},
        content=hashlib.sha256(raw).hexdigest(),
    )


def text_digest(raw: bytes) -> str:
    """SHA-256 of a record's text without its last field, content_sha256, as the stages seal it."""
    body = re.sub(rb',\n  "content_sha256": "[0-9a-f]{64}"\n}\n$', b"\n}\n", raw)
    return hashlib.sha256(body).hexdigest()


def sealed(record: dict[str, Any]) -> str:
    """A record as text with its digest, as the stages write theirs."""
    body = json.dumps(record, indent=2) + "\n"
    return (
        json.dumps({**record, "content_sha256": hashlib.sha256(body.encode()).hexdigest()}, indent=2) + "\n"
    )


def from_hdf5(path: Path) -> Record:
    if not path.is_file():
        raise FileNotFoundError(path)
    with h5py.File(path) as file:
        root = attributes(file, ("content_sha256", "spec", *(f"{role}_sha256" for role in ROLES)))
        made = attributes(file["provenance"], FACTS) if "provenance" in file else {}
        steps = file["steps"].items() if "spec" in root and "steps" in file else ()
        points = {int(step): group.attrs.get("sha256") for step, group in steps}
    stage = made.get("stage", "")
    settings = flags(made.get("command", ""), kind_of_operator=stage == "build-operator")
    if stage == "train-model":
        settings |= flat(json.loads(root["spec"]))
    return Record(
        stage=stage,
        algorithm=int(made["algorithm"]) if "algorithm" in made else None,
        settings=settings,
        inputs=inputs(root, json.loads(made.get("inputs", "{}"))),
        content=root["content_sha256"],
        files=json.loads(made.get("files", "{}")),
        points=points,
    )


def attributes(thing: h5py.Group, names: tuple[Any, ...]) -> dict[str, Any]:
    """Those of the attributes that are there; reading all of them would take most of the time."""
    held = thing.attrs
    return {name: held[name] for name in names if name in held}


def inputs(attributes: dict[str, Any], opened: dict[str, str]) -> dict[str, list[str]]:
    """Digests by role: those that the file has as attributes, else of the artifacts that were opened."""
    found: dict[str, Any] = {}
    for path, digest in opened.items():
        found.setdefault(Path(path).stem, []).append(digest)
    named = {role: [attributes[f"{role}_sha256"]] for role in ROLES if f"{role}_sha256" in attributes}
    return found | named


def flags(command: str, kind_of_operator: bool) -> dict[str, Any]:
    """Settings in a command line as words: one, a list of several, True for a bare flag."""
    dropped = NO_SETTINGS | FILES | (set() if kind_of_operator else {"operator"})
    said: dict[str, list[str]] = {}
    name = None
    for word in words(command)[1:]:
        if word.startswith("--"):
            name = word[2:].replace("-", "_")
            said[name] = []
        elif name:
            said[name].append(word)
    return {name: value_of(values) for name, values in said.items() if name not in dropped}


def words(command: str) -> list[str]:
    """As a shell splits it; where nothing is quoted, in a tenth of shlex's time."""
    return shlex.split(command) if any(mark in command for mark in "'\"\\") else command.split()


def value_of(values: list[Any]) -> Any:
    return True if not values else values[0] if len(values) == 1 else values


def wanted(options: dict[str, Any]) -> dict[str, Any]:
    """The options of stage_flags that become flags, as they are."""
    return {k: v for k, v in options.items() if not (v is None or v is False or v == [])}


def same(wanted: Any, was: Any) -> bool:
    """Whether a recorded word says what a setting is: 1e-6 is the number 1.0e-06, 1 is not the name 01."""
    if isinstance(wanted, list) or isinstance(was, list):
        both = [entry if isinstance(entry, list) else [entry] for entry in (wanted, was)]
        return len(both[0]) == len(both[1]) and all(map(same, *both))
    if isinstance(wanted, bool) or isinstance(was, bool) or not isinstance(was, str):
        return wanted == was
    if not isinstance(wanted, int | float):
        return str(wanted) == was
    try:
        return wanted == (int(was) if isinstance(wanted, int) and was.lstrip("-").isdigit() else float(was))
    except ValueError:
        return False


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names."""
    found: dict[str, Any] = {}
    for key, entry in value.items():
        if isinstance(entry, dict):
            found |= flat(entry, f"{prefix}{key}.")
        else:
            found[prefix + key] = entry
    return found
