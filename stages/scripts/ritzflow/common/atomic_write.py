"""Files and folders that are complete or absent, whatever happens while they are written."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A place beside `path` for a file or a folder, which is renamed to `path` once all of it is on disk."""
    part = path.with_name(f"{path.name}.part.{os.getpid()}")
    try:
        yield part
        for written in (part, *part.rglob("*")):
            flush(written)
        part.replace(path)
        flush(path.parent)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as part:
        part.write_text(text)


def flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
