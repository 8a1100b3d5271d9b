"""What the artifacts of a sweep say about their making."""

import json
from pathlib import Path
from typing import Any

import h5py

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import stale


def plain(value: Any) -> Any:
    """A JSON value of an HDF5 attribute; nested facts are stored as JSON text."""
    if isinstance(value, bytes | str):
        text = value.decode() if isinstance(value, bytes) else value
        return json.loads(text) if text[:1] in ("{", "[") else text
    return value.tolist() if hasattr(value, "tolist") else value


def artifact(path: Path, results: Path) -> dict[str, Any]:
    """What an artifact says about its making, with its own digest."""
    with h5py.File(path) as file:
        record = {"artifact": str(path.relative_to(results)), "format": plain(file.attrs["format"])}
        record["content_sha256"] = plain(file.attrs.get("content_sha256", ""))
        if "provenance" in file:
            record |= {name: plain(value) for name, value in file["provenance"].attrs.items()}
    return record


def artifacts(results: Path, found: stale.Comparison) -> list[dict[str, Any]]:
    """The records of the sweep's HDF5 files that stand, by name. Raises InputError where there are none."""
    paths = [p for p in sorted(found.records) if p.endswith(".h5") and p not in found.reasons]
    if not paths:
        raise InputError(f"{results}: no artifact of its sweep.json stands; run the sweep first")
    return [artifact(results / path, results) for path in paths]
