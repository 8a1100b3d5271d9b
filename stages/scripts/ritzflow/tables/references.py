"""The cell that another is compared with: the `full` one beside it, with the same settings."""

from collections import defaultdict
from typing import Any

from ritzflow.sweep import cells, variants
from ritzflow.sweep.types import Config

BASELINE = {"reorth_mode": "full"}


class References:
    """The records of a sweep's cells that others are compared with, by the axes that both have in common."""

    def __init__(self, config: Config, records: list[dict[str, Any]]) -> None:
        self.config = config
        self.shared = [axis for axis in cells.AXES if axis not in BASELINE and axis != "variant"]
        self.by_variant: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
        for record in records:
            if BASELINE.items() <= record.items():
                self.by_variant[self.key(record)][record["variant"]] = record

    def key(self, record: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(record[axis] for axis in self.shared)

    def of(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """The record that this one is compared with; None where there is none."""
        there = self.by_variant.get(self.key(record), {})
        variant = variants.counterpart(self.config, record, BASELINE["reorth_mode"], there)
        return None if variant is None else there[variant]
