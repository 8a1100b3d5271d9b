#!/usr/bin/env python3
"""Run the user's training command where the weights of a module are not there, and note what made them.

    train_weights.py --command "python train.py --out runs/seed0" --weights "runs/seed0/step{step}.pt" \\
      --out training.json

The weights are the user's files and no artifacts. What made them is kept under --memory, by their name: those
of another command, or of a script that has changed, are made again in their place; those that no command of a
sweep made are left as they are.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
from argparse import Namespace
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ritzflow.common import made_with, weights_files
from ritzflow.common.atomic_write import write_text
from ritzflow.common.script_cli import InputError, Parser, run
from ritzflow.sweep import recorded, training_sources

ALGORITHM = 1
# replaced: by path, size and dates of weights that the command must not leave as they were.
FIELDS = {"weights_are", "command", "sources", "weights", "replaced", "finished"}


def parse() -> Namespace:
    parser = Parser("train_weights", ALGORITHM, "Run a training command where its weights are not there.")
    parser.add_argument("--command", required=True, help="run by the shell in this folder")
    parser.add_argument("--weights", required=True, help="what it writes; {step} in it: one for each step")
    parser.add_argument("--steps", nargs="+", default=["all"], help="with {step}: numbers, final, or all")
    parser.add_argument(
        "--memory",
        type=Path,
        default=Path("results/.trained"),
        help="folder that says what made which weights",
    )
    parser.add_argument("--out", type=Path, required=True, help="the record to write, training.json")
    return parser.parse_args()


def missing(weights: str, steps: list[str]) -> list[str]:
    """Names of wanted weights that are not there."""
    if weights_files.STEP not in weights:
        return [] if Path(weights).exists() else [weights]
    there = weights_files.found(weights)
    numbers = [int(step) for step in steps if step.isdecimal()]
    lost = [weights.replace(weights_files.STEP, str(step)) for step in numbers if step not in there]
    return lost or ([] if there else [weights])


def files_of(weights: str) -> list[Path]:
    """All weights that are there, folders with the files below them."""
    step = weights_files.STEP in weights
    found = weights_files.found(weights).values() if step else [Path(weights)]
    return [file for path in found for file in made_with.files_of(path)]


def digests(paths: list[Path]) -> dict[str, str]:
    return {str(path): made_with.sha256(path) for path in paths}


def difference(then: dict[str, str]) -> str | None:
    """The first file that is no longer what it was, in words."""
    for path, digest in then.items():
        if not Path(path).exists():
            return f"{path} is gone"
        if made_with.sha256(Path(path)) != digest:
            return f"{path} has other contents"
    return None


def reason_to_run(known: dict[str, Any] | None, command: str, lost: list[str]) -> str | None:
    """Why the command is run; None where the weights stay as they are. `known` is what is said of them.

    Raises InputError where it has been run and does not write what is wanted.
    """
    if known is None:
        return f"{lost[0]} is missing" if lost else None
    if not known["finished"]:
        return "its last run did not end"
    changed = what_changed(known, command)
    if not lost:
        return None if difference(known["weights"]) else changed
    if not changed and not set(lost) & known["weights"].keys():
        raise InputError(f"{lost[0]}: the command has been run and did not write it: {command}")
    return changed or f"{lost[0]} is missing"


def what_changed(known: dict[str, Any], command: str) -> str | None:
    """What differs from the command, or the files that it depends on, that made the weights."""
    if command != known["command"]:
        return f"the command was: {known['command']}"
    return difference(known["sources"])


@contextmanager
def memory(folder: Path, weights: str) -> Iterator[Path]:
    """The file of what is known of these weights; one training of them at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(weights.encode()).hexdigest()[:16]
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / f"{name}.json"


def read(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return known if known.keys() == FIELDS else None


def train(options: Namespace, path: Path, before: dict[str, Any] | None) -> dict[str, Any]:
    """Runs the command; what is known of the weights then. Raises InputError where it fails."""
    own = files_of(options.weights)
    sources = digests([p for p in training_sources.of_command(options.command) if p not in own])
    known = {"weights_are": options.weights, "command": options.command, "sources": sources, "weights": {}}
    replaced = to_replace(before, options.command)
    write_text(path, json.dumps({**known, "replaced": replaced, "finished": False}, indent=1))
    carry_out(options.command)
    if lost := missing(options.weights, options.steps):
        raise InputError(f"the command ended without writing {', '.join(lost)}: {options.command}")
    for old, stamp in replaced.items():
        if Path(old).exists() and recorded.stamp(Path(old)) == stamp:
            raise InputError(f"{old}: left by the command as an earlier one wrote it; remove it")
    known["sources"] = {p: digest for p, digest in sources.items() if not difference({p: digest})}
    return {**known, "weights": digests(files_of(options.weights)), "replaced": {}, "finished": True}


def to_replace(before: dict[str, Any] | None, command: str) -> dict[str, list[int]]:
    """The weights that another command, or other sources, had made."""
    if before is None or not before["finished"]:
        return before["replaced"] if before else {}
    there = [path for path in map(Path, before["weights"]) if path.is_file()]
    return {str(path): recorded.stamp(path) for path in there} if what_changed(before, command) else {}


def carry_out(command: str) -> None:
    """Runs it, with its output on stderr. Raises InputError with its last lines where it fails."""
    last: deque[str] = deque(maxlen=5)
    process = subprocess.Popen(
        command,
        shell=True,
        executable="/bin/bash",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    for line in process.stdout or ():
        print(line, end="", file=sys.stderr, flush=True)
        last.extend([line.strip()] if line.strip() else [])
    if status := process.wait():
        said = "".join(f"\n  {line}" for line in last)
        raise InputError(f"exit status {status} of the command: {command}{said}")


def main() -> None:
    options = parse()
    lost = missing(options.weights, options.steps)
    with memory(options.memory, options.weights) as path:
        known = read(path)
        if why := reason_to_run(known, options.command, lost):
            print(f"training: {why}", file=sys.stderr, flush=True)
            known = train(options, path, known)
            write_text(path, json.dumps(known, indent=1))
        else:
            print(f"the weights are there: {options.weights}", file=sys.stderr)
    write_text(options.out, recorded.sealed(record(options, known)))


def record(options: Namespace, known: dict[str, Any] | None) -> dict[str, Any]:
    """What training.json says: the command, whether it made the weights, and the files that count."""
    weights = digests(files_of(options.weights))
    same = known if known and known["command"] == options.command and known["weights"] == weights else None
    return {
        "stage": "train_weights",
        "algorithm": ALGORITHM,
        "settings": {"command": options.command, "weights": options.weights},
        "weights_are_made_by_it": same is not None,
        "files": {**(same["sources"] if same else {}), **weights},
    }


if __name__ == "__main__":
    run(main)
