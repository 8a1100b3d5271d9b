"""What a Python program's artifact was made with, for its /provenance: command, algorithm, the user's files.

Every file of the user's that a program reads is noted with `note`, modules that it imports are found by
themselves. A sweep compares their digests with the files of today and makes again what came from others.
"""

import hashlib
import json
import shlex
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
_noted: dict[str, str] = {}


def sha256(path: Path) -> str:
    """Of a file's bytes; of a folder, the names of all that lies below it."""
    if path.is_dir():
        names = sorted(str(file.relative_to(path)) for file in path.rglob("*"))
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note(path: Path | str) -> None:
    """Counts a file, or a folder with every file below it, among the inputs, with its digest of now."""
    path = Path(path)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
    for file in [path, *files] if path.exists() else []:
        _noted[str(file)] = sha256(file)


def note_own_modules() -> None:
    """Notes the source of every imported module that lies below this folder and is no installed package."""
    here = Path.cwd().resolve()
    for module in list(sys.modules.values()):
        source = getattr(module, "__file__", None)
        if not source or not source.endswith(".py"):
            continue
        source = Path(source).resolve()
        own = source.is_relative_to(here) and not source.is_relative_to(SCRIPTS)
        if own and "site-packages" not in source.parts:
            note(source.relative_to(here))


def provenance(program: str, algorithm: int, inputs: dict[str, str] | None = None) -> dict[str, str | int]:
    """Attributes of /provenance; `inputs`: content_sha256 of the artifacts that were read, by path."""
    note_own_modules()
    facts = {
        "stage": program,
        "algorithm": algorithm,
        "command": shlex.join([program, *sys.argv[1:]]),
        "files": json.dumps(_noted, sort_keys=True),
    }
    return facts | ({"inputs": json.dumps(inputs, sort_keys=True)} if inputs else {})
