#!/usr/bin/env python3
"""Sum up where a sweep's artifacts come from: programs, machines, inputs by digest, attempts.

provenance.py results/demo
"""

import json
from collections import Counter
from pathlib import Path

import cells
import h5py
import stale
import summaries
from atomic_write import write_text
from script_cli import InputError, Parser, run

FACTS = ("program_version", "commit", "dirty", "compiler", "libraries", "cpu", "host", "threads")
TIMES = ("started", "finished")


def plain(value):
    """A JSON value of an HDF5 attribute; nested facts are stored as JSON text."""
    if isinstance(value, bytes | str):
        text = value.decode() if isinstance(value, bytes) else value
        return json.loads(text) if text[:1] in ("{", "[") else text
    return value.tolist() if hasattr(value, "tolist") else value


def artifact(path: Path, results: Path) -> dict:
    """What an artifact says about its making, with its own digest."""
    with h5py.File(path) as file:
        record = {"artifact": str(path.relative_to(results)), "format": plain(file.attrs["format"])}
        record["content_sha256"] = plain(file.attrs.get("content_sha256", ""))
        if "provenance" in file:
            record |= {name: plain(value) for name, value in file["provenance"].attrs.items()}
    return record


def artifacts(results: Path, found: stale.Comparison) -> list[dict]:
    """The records of the sweep's HDF5 files that stand, by name. Raises InputError where there are none."""
    paths = [p for p in sorted(found.records) if p.endswith(".h5") and p not in found.reasons]
    if not paths:
        raise InputError(f"{results}: no artifact of its sweep.json stands; run the sweep first")
    return [artifact(results / path, results) for path in paths]


def summary(records: list[dict]) -> dict:
    """How often each version, machine and setting occurs, the span of time, and how many were resumed."""
    counts = {}
    for fact in FACTS:
        found = Counter(json.dumps(record[fact], sort_keys=True) for record in records if fact in record)
        counts[fact] = [{"value": json.loads(text), "artifacts": n} for text, n in found.most_common()]
    started, finished = ([r[name] for r in records if name in r] for name in TIMES)
    return {
        "artifacts": len(records),
        "started": min(started, default=None),
        "finished": max(finished, default=None),
        "resumed": sum(record.get("attempts", 1) > 1 for record in records),
        **counts,
    }


def main():
    parser = Parser("provenance", 1, "Sum up where a sweep's artifacts come from, in provenance.json.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with cells/")
    results = parser.parse_args().results
    config = cells.sweep(results)
    found = stale.standing(results, config)
    records = artifacts(results, found)
    made_from = summaries.made_from("provenance", config, found)
    contents = {"summary": summary(records), "artifacts": records, "made_from": made_from}
    write_text(results / "provenance.json", json.dumps(contents, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    run(main)
