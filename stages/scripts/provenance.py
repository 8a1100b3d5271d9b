#!/usr/bin/env python3
"""Sum up where a sweep's artifacts come from: programs, machines, inputs by digest, attempts.

provenance.py results/demo
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ritzflow.common.atomic_write import write_text
from ritzflow.common.script_cli import Parser, run
from ritzflow.sweep import stale, summaries, sweep_config
from ritzflow.tables.artifact_facts import artifacts

FACTS = ("program_version", "commit", "dirty", "compiler", "libraries", "cpu", "host", "threads")
TIMES = ("started", "finished")


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
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


def main() -> None:
    parser = Parser("provenance", 1, "Sum up where a sweep's artifacts come from, in provenance.json.")
    parser.add_argument("results", type=Path, help="the sweep's folder, with cells/")
    results = parser.parse_args().results
    config = sweep_config.of_results(results)
    found = stale.standing(results, config)
    records = artifacts(results, found)
    made_from = summaries.made_from("provenance", config, found)
    contents = {"summary": summary(records), "artifacts": records, "made_from": made_from}
    write_text(results / "provenance.json", json.dumps(contents, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    run(main)
