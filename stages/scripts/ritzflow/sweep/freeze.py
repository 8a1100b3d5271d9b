"""The configuration of one run in a file of its own, which no edit of the sweep file meanwhile reaches."""

import hashlib
from pathlib import Path

from ritzflow.common.atomic_write import write_text
from ritzflow.sweep.sweep_config import canonical
from ritzflow.sweep.types import Config

FOLDER = Path(".snakemake/ritzflow")


def text_of(config: Config) -> str:
    """What the file, and later the sweep's `sweep.json`, holds."""
    return canonical(config) + "\n"


def sweep_file(config: Config) -> Path:
    """Its path; the name has the digest, so that what a waiting job reads never changes."""
    text = text_of(config)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"sweep-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    write_text(path, text)
    return path.absolute()
