"""The declared algorithm version of each stage: what tells a sweep that a rebuilt binary must run again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from script_cli import InputError

STAGES = ("train-model", "build-operator", "lanczos", "ritz-residuals", "density", "metrics")
KRONECKER_STAGES = ("collect-kfac", "compare-kfac")
KRONECKER_KINDS = ("kfac", "ekfac")


def needed(config: dict) -> list[str]:
    """The stage binaries that a sweep runs."""
    kinds = {options["kind"] for options in config["operators"].values()}
    return [*STAGES, *(KRONECKER_STAGES if kinds & set(KRONECKER_KINDS) else [])]


def check_built(config: dict, folder: Path, origin: str) -> None:
    """Raises InputError for the first binary that the sweep needs and `folder` lacks."""
    for name in needed(config):
        if (folder / name).is_file():
            continue
        kinds = [o["kind"] for o in config["operators"].values() if o["kind"] in KRONECKER_KINDS]
        why = f"operator kind '{kinds[0]}'" if name in KRONECKER_STAGES else "the sweep"
        raise InputError(f"{origin}: {why} needs build/bin/{name}, which is not built; run 'make build'")


def versions(programs: list[Path], cache: Path) -> dict[str, int]:
    """Algorithm version by file name. Asked once per build: the answer is cached by time and size."""
    known = json.loads(cache.read_text()) if cache.is_file() else {}
    answers = {str(program): remembered(program, known) for program in programs}
    if any(known.get(key) != answer for key, answer in answers.items()):
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_name(cache.name + ".part")
        part.write_text(json.dumps({**known, **answers}))
        part.replace(cache)
    return {Path(key).name: answer["algorithm"] for key, answer in answers.items()}


def remembered(program: Path, known: dict) -> dict:
    stat = program.stat()
    stamp = {"mtime": stat.st_mtime_ns, "size": stat.st_size}
    entry = known.get(str(program), {})
    return entry if entry.items() >= stamp.items() else {**stamp, "algorithm": ask(program)}


def ask(program: Path) -> int:
    """Runs `PROGRAM --version`, which prints `NAME VERSION (algorithm N)`; scripts run in this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    answer = subprocess.run(
        [program, "--version"], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    match = re.search(r"\(algorithm (\d+)\)", answer.stdout)
    if not match:
        raise InputError(
            f"{program} --version: expected 'NAME VERSION (algorithm N)', got '{answer.stdout.strip()}'"
        )
    return int(match[1])
