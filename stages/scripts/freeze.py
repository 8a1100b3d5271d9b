"""The configuration of one run in a file of its own, which no edit of the sweep file meanwhile reaches."""

import hashlib
import os
from pathlib import Path

from sweep_config import canonical

FOLDER = Path(".snakemake/ritzflow")


def sweep_file(config: dict) -> Path:
    """Its path; the name has the digest, so that what a waiting job reads never changes."""
    text = canonical(config) + "\n"
    path = FOLDER / f"sweep-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part.{os.getpid()}")
    part.write_text(text)
    part.replace(path)
    return path.absolute()
