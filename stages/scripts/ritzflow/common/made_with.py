"""What a Python program's artifact was made with, for its /provenance: command, algorithm, the user's files.

Every file of the user's that a program reads is noted with `note`, modules that it imports are found by
themselves. A sweep compares their digests with the files of today and makes again what came from others.
"""

import hashlib
import json
import shlex
import sys
import sysconfig
from pathlib import Path

from ritzflow.common.locations import SCRIPTS

NOT_OWN = [SCRIPTS, *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))]
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
    for file in files_of(Path(path)):
        _noted.setdefault(str(file), sha256(file))


def files_of(path: Path) -> list[Path]:
    """A file, or a folder and every file below it; nothing where there is none."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
    return [path, *files] if path.exists() else []


def note_own_modules() -> None:
    """Notes every imported module that is neither Python's, nor an installed package, nor of this project.

    Also called once they are imported: should a source change meanwhile, what was read is what counts.
    """
    here = Path.cwd()
    for path in own_modules():
        note(path.relative_to(here) if path.is_relative_to(here) else path)


def own_modules() -> list[Path]:
    """Sources of the imported modules that are the user's."""
    sources = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {Path(source).absolute() for source in sources if source and is_own(Path(source))}
    return sorted(path for path in paths if path.is_file())


def is_own(source: Path) -> bool:
    """Whether a module's file is the user's."""
    installed = {"site-packages", "dist-packages"} & set(source.parts)
    return not installed and not any(source.resolve().is_relative_to(place) for place in NOT_OWN)


def provenance(program: str, algorithm: int) -> dict[str, str | int]:
    """Attributes of /provenance."""
    note_own_modules()
    return {
        "stage": program,
        "algorithm": algorithm,
        "command": shlex.join([program, *sys.argv[1:]]),
        "files": json.dumps(_noted, sort_keys=True),
    }
