"""The cell that another is compared with: of the baseline, `full` by default, and else like it."""

from collections import defaultdict
from typing import Any

import numpy as np

from ritzflow.sweep import baseline, cells, variants
from ritzflow.sweep.types import Config


class References:
    """The records of a sweep's cells that others are compared with, by the axes that both have in common."""

    def __init__(self, config: Config, records: list[dict[str, Any]]) -> None:
        self.config, self.baseline = config, baseline.of(config)
        self.shared = [axis for axis in cells.AXES if axis not in self.baseline and axis != "variant"]
        self.by_variant: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
        for record in records:
            if self.baseline.items() <= record.items():
                self.by_variant[self.key(record)][record["variant"]] = record

    def key(self, record: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(record[axis] for axis in self.shared)

    def of(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """The record that this one is compared with; None where there is none."""
        there = self.by_variant.get(self.key(record), {})
        variant = self.baseline.get("variant")
        if variant is None:
            mode = self.baseline.get("reorth_mode", record["reorth_mode"])
            variant = variants.counterpart(self.config, record, mode, there)
        return self.as_many(record, there[variant]) if variant in there else None

    def as_many(self, record: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any] | None:
        """The reference with as many values as the record should have; None where it has others, or fewer."""
        own, other = (variants.settings_of(self.config, cell) for cell in (record, reference))
        if own["which"] == other["which"] and own["k"] == other["k"]:
            return reference
        if {own["which"], other["which"]} != {"largest"} or own["k"] > other["k"]:
            return None
        return {**reference, "eigenvalues": np.sort(reference["eigenvalues"])[::-1][: own["k"]].tolist()}
