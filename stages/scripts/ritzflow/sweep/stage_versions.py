"""The declared algorithm version of each program: artifacts of another one are made again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ritzflow.common.atomic_write import write_text
from ritzflow.common.locations import BINARIES, SCRIPTS
from ritzflow.common.script_cli import InputError
from ritzflow.sweep import model_steps
from ritzflow.sweep.types import Config

CACHE = Path(".snakemake/ritzflow-versions.json")
STAGES = ("train-model", "build-operator", "lanczos", "ritz-residuals", "density", "metrics")
KRONECKER_STAGES = ("collect-kfac", "compare-kfac")
KRONECKER_KINDS = ("kfac", "ekfac")


def needed(config: Config) -> list[str]:
    """The stage binaries that a sweep runs."""
    kinds = {options["kind"] for options in config["operators"].values()}
    return [*STAGES, *(KRONECKER_STAGES if kinds & set(KRONECKER_KINDS) else [])]


def programs(config: Config) -> list[Path]:
    """Every program that makes an artifact of the sweep."""
    models = config["models"].values()
    scripts = ["prepare_data.py"]
    scripts += [] if all(map(model_steps.is_trained, models)) else ["export_products.py"]
    scripts += ["train_weights.py"] if any(map(model_steps.has_command, models)) else []
    return [SCRIPTS / name for name in scripts] + [BINARIES / name for name in needed(config)]


def check_built(config: Config, folder: Path, origin: str) -> None:
    """Raises InputError for the first binary that the sweep needs and `folder` lacks."""
    for name in needed(config):
        if (folder / name).is_file():
            continue
        kinds = [o["kind"] for o in config["operators"].values() if o["kind"] in KRONECKER_KINDS]
        why = f"operator kind '{kinds[0]}'" if name in KRONECKER_STAGES else "the sweep"
        raise InputError(f"{origin}: {why} needs build/bin/{name}, which is not built; run 'make build'")


def of_built(config: Config) -> dict[str, int]:
    """Algorithm version by name of the programs that are built here: from the cache, or asked."""
    known = read_cache(CACHE)
    built = [program for program in programs(config) if program.is_file()]
    return {program.stem: remembered(program, known)["algorithm"] for program in built}


def versions(programs: list[Path], cache: Path) -> dict[str, int]:
    """Algorithm version by name. Asked once per build: the answer is cached by time and size."""
    known = read_cache(cache)
    answers = {str(program): remembered(program, known) for program in programs}
    if any(known.get(key) != answer for key, answer in answers.items()):
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_text(cache, json.dumps({**known, **answers}))
    return {Path(key).stem: answer["algorithm"] for key, answer in answers.items()}


def read_cache(cache: Path) -> dict[str, Any]:
    try:
        known = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remembered(program: Path, known: dict[str, Any]) -> dict[str, Any]:
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
