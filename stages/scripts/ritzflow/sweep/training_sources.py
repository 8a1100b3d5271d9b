"""The files that a training command depends on: those it names, and modules that its scripts import."""

import ast
import shlex
from itertools import pairwise
from pathlib import Path


def of_command(command: str) -> list[Path]:
    """Scripts, settings and data that are words of the command, `-m` modules, and what they import."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    named = [Path(part) for word in words for part in (word, word.partition("=")[2]) if part]
    named += [path for before, word in pairwise(words) if before == "-m" for path in modules(word, ".")]
    todo, found = [path for path in named if is_text(path)], []
    while todo:
        path = todo.pop()
        if path not in found:
            found.append(path)
            todo += imported(path) if path.suffix == ".py" else []
    return sorted(found)


def is_text(path: Path) -> bool:
    """Is it a file, and no program such as the interpreter?"""
    try:
        with path.open("rb") as file:
            return file.read(4) != b"\x7fELF"
    except OSError:
        return False


def modules(name: str, folder: Path | str) -> list[Path]:
    """The files of the module a.b.c below a folder, its packages included; none where it lies elsewhere."""
    parts = [part for part in name.split(".") if part]
    found = []
    for i in range(1, len(parts) + 1):
        place = Path(folder, *parts[:i])
        found += [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return found


def imported(path: Path) -> list[Path]:
    """Files beside a script, or below the working folder, that it imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            names += [start + alias.name for alias in node.names]
    folders = (path.parent, path.parent.parent, Path())
    return [found for name in names for folder in folders for found in modules(name, folder)]
