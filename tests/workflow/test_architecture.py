"""The rooms of the library include each other as docs/architecture.md has it, one way."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine"
ROW = re.compile(r"^\| `(\w+)` \| ([a-z, ]*?) ?\|", re.MULTILINE)
ALLOWED = {
    room: set(filter(None, rooms.split(", ")))
    for room, rooms in ROW.findall((ROOT / "docs" / "architecture.md").read_text())
}


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


def test_rooms_include_what_the_table_allows():
    found = {room[0]: {other[0] for other in others} for room, others in included(1).items()}
    assert {room: found.get(room, set()) for room in ALLOWED} == ALLOWED
    assert {path.parts[len(ENGINE.parts)] for path in ENGINE.rglob("*.cpp")} == set(ALLOWED)


@pytest.mark.parametrize("depth", [1, 2])
def test_folders_do_not_include_each_other_in_a_circle(depth):
    arrows = included(depth)

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for other in arrows.get(todo.pop(), set()) - seen:
                seen.add(other)
                todo.append(other)
        return seen

    assert [folder for folder in arrows if folder in reached(folder)] == []
