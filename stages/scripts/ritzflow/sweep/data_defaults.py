"""Defaults of a model's data that depend on what the model is.

A module comes trained on its own data: they pass as they are, all of them,
unless the sweep file says otherwise.
"""

from typing import Any


def fill(data: dict[str, Any], trained_here: bool) -> None:
    """Sets `standardize` and `split` where the sweep file leaves them open."""
    if data["standardize"] is None:
        data["standardize"] = trained_here
    if data["split"] is None:
        data["split"] = usual_split(data["source"]) if trained_here else "none"


def usual_split(source: str) -> float | None:
    """None leaves it to prepare_data.py, which sees whether the source has a test part of its own."""
    kind, _, path = source.partition(":")
    return 0.8 if not path or kind == "text" else None
