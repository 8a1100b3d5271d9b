"""The rooms of the library and those of the scripts use each other as docs/architecture.md has it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine"
ROW = re.compile(r"^\| `(\w+)` \| ([a-z, ]*?) ?\|", re.MULTILINE)
SCRIPTS = ROOT / "stages" / "scripts"


def allowed(header):
    """Room -> the rooms that a table of docs/architecture.md, known by its heading, lets it use."""
    table = (ROOT / "docs" / "architecture.md").read_text().split(f"| room | {header} |")[1].split("\n\n")[0]
    return {room: set(filter(None, rooms.split(", "))) for room, rooms in ROW.findall(table)}


def included(depth):
    """The folders of `depth` levels that each such folder includes headers of."""
    found = {}
    for file in [*ENGINE.rglob("*.h"), *ENGINE.rglob("*.cpp")]:
        own = file.relative_to(ENGINE).parts[:-1][:depth]
        for path in re.findall(r'#include "([a-z/_0-9]+\.h)"', file.read_text()):
            other = Path(path).parts[:-1][:depth]
            if (ENGINE / path).is_file() and other != own:
                found.setdefault(own, set()).add(other)
    return found


def imported(depth):
    """The same of the packages of the scripts; a program is a folder of its own, named after it."""
    found = {}
    for file in SCRIPTS.rglob("*.py"):
        parts = file.relative_to(SCRIPTS).with_suffix("").parts
        own = parts[1:-1][:depth] if len(parts) > 1 else parts
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else names
            for name in names:
                if name.split(".")[0] == "ritzflow" and folder_of(name)[:depth] != own:
                    found.setdefault(own, set()).add(folder_of(name)[:depth])
                if (SCRIPTS / f"{name}.py").is_file():
                    found.setdefault(own, set()).add((name,))
    return found


def folder_of(module):
    """The folders below ritzflow of a module, or of a package itself."""
    path = SCRIPTS.joinpath(*module.split("."))
    return (path if path.is_dir() else path.parent).relative_to(SCRIPTS / "ritzflow").parts


@pytest.mark.parametrize("folder", [ENGINE, ROOT / "tests" / "engine"])
def test_a_room_is_a_namespace(folder):
    wrong = []
    for file in [*folder.rglob("*.h"), *folder.rglob("*.cpp")]:
        room = file.relative_to(folder).parts[0]
        expected = "ritzflow" if room in ("core", "settings") else f"ritzflow::{room}"
        opened = re.findall(r"^namespace ([\w:]+) \{", file.read_text(), re.MULTILINE)
        own = [name for name in opened if name.startswith("ritzflow")]
        if own and not any(f"{name}::".startswith(f"{expected}::") for name in own):
            wrong.append(str(file.relative_to(folder)))
    assert wrong == []


def test_rooms_include_what_the_table_allows():
    found = {room[0]: {other[0] for other in others} for room, others in included(1).items()}
    rooms = allowed("includes")
    assert {room: found.get(room, set()) for room in rooms} == rooms
    assert {path.parts[len(ENGINE.parts)] for path in ENGINE.rglob("*.cpp")} == set(rooms)


def test_rooms_of_the_scripts_import_what_the_table_allows():
    found = {room[0]: {other[0] for other in others} for room, others in imported(1).items()}
    rooms = allowed("imports")
    assert {room: found.get(room, set()) for room in rooms} == rooms
    assert {path.parent.name for path in SCRIPTS.glob("ritzflow/*/__init__.py")} == set(rooms)
    assert not any(set(others) & {path.stem for path in SCRIPTS.glob("*.py")} for others in found.values())


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("arrows_of", [included, imported])
def test_folders_do_not_use_each_other_in_a_circle(arrows_of, depth):
    arrows = arrows_of(depth)

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for other in arrows.get(todo.pop(), set()) - seen:
                seen.add(other)
                todo.append(other)
        return seen

    assert [folder for folder in arrows if folder in reached(folder)] == []
