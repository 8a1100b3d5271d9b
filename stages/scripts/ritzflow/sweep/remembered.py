"""What earlier runs in this folder read of files, so that an unchanged one is not read again."""

import json
from typing import Any

from ritzflow.common.atomic_write import write_text
from ritzflow.sweep import freeze

PLACE, VERSION = freeze.FOLDER / "memory.json", 1


def load() -> dict[str, Any]:
    """`files` and `records` by path, for UserFiles and Memory; empty where nothing can be understood."""
    try:
        known = json.loads(PLACE.read_text())
        usable = known.keys() == {"version", "files", "records"} and known["version"] == VERSION
    except (OSError, ValueError, AttributeError):
        usable = False
    return known if usable else {"version": VERSION, "files": {}, "records": {}}


def save(known: dict[str, Any]) -> None:
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    write_text(PLACE, json.dumps(known))
