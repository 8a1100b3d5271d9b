#!/usr/bin/env python3
"""Describe a finished sweep as a Research Object Crate (RO-Crate 1.1): ro-crate-metadata.json in its folder.

ro_crate.py results/demo
"""

import hashlib
import json
import mimetypes
from pathlib import Path
from typing import Any

from ritzflow.common.atomic_write import write_text
from ritzflow.common.script_cli import PROJECT_VERSION, Parser, run
from ritzflow.sweep import stale, sweep_config
from ritzflow.tables.artifact_facts import artifacts

PROFILE = "https://w3id.org/ro/crate/1.1"
METADATA = "ro-crate-metadata.json"
SKIPPED = {METADATA, "README.md"}
SKIPPED_FOLDERS = ("logs", "benchmarks", "cells", "data")
PROGRAM = "#ritzflow"
LICENSE = "https://spdx.org/licenses/MIT"
TYPES = {".h5": "application/x-hdf5", ".tsv": "text/tab-separated-values", ".md": "text/markdown"}


def data_files(results: Path, found: stale.Comparison) -> list[Path]:
    """The artifacts that stand, and every file that is none: tables, figures, report, configuration."""
    standing = {results / path for path in found.records if path not in found.reasons}
    others = [
        p
        for p in results.rglob("*")
        if p.is_file() and p.relative_to(results).parts[0] not in SKIPPED_FOLDERS
    ]
    return sorted(standing | {p for p in others if p.name not in SKIPPED and not p.name.startswith(".")})


def file_entity(path: Path, results: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {
        "@id": str(path.relative_to(results)),
        "@type": "File",
        "contentSize": str(path.stat().st_size),
        "encodingFormat": kind,
        "sha256": digest,
    }


def action_entity(number: int, record: dict[str, Any], by_digest: dict[str, str]) -> dict[str, Any]:
    """The run of a stage: its command, its inputs (by content digest) and its artifact."""
    inputs = sorted({by_digest[d] for d in record.get("inputs", {}).values() if d in by_digest})
    return {
        "@id": f"#run-{number}",
        "@type": "CreateAction",
        "name": record["command"],
        "instrument": {"@id": PROGRAM},
        "startTime": record.get("started"),
        "endTime": record.get("finished"),
        "object": [{"@id": name} for name in inputs],
        "result": [{"@id": record["artifact"]}],
    }


def crate(results: Path) -> dict[str, Any]:
    """The crate's JSON-LD document."""
    found = stale.standing(results, sweep_config.of_results(results))
    files = [file_entity(path, results) for path in data_files(results, found)]
    every = artifacts(results, found)
    records = [record for record in every if "command" in record]
    by_digest = {record["content_sha256"]: record["artifact"] for record in every}
    actions = [action_entity(i, record, by_digest) for i, record in enumerate(records)]
    commits = sorted({record["commit"] for record in records if "commit" in record})
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"ritzflow sweep {results.name}",
        "description": "Eigenspectra of curvature matrices, each value with its evidence.",
        "datePublished": max((r["finished"] for r in records if "finished" in r), default=None),
        "license": {"@id": LICENSE},
        "hasPart": [{"@id": file["@id"]} for file in files],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    program = {
        "@id": PROGRAM,
        "@type": "SoftwareApplication",
        "name": "ritzflow",
        "version": f"{PROJECT_VERSION} ({', '.join(commits)})",
    }
    license = {"@id": LICENSE, "@type": "CreativeWork", "name": "MIT License"}
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    entities = [descriptor, root, license, program, *files, *actions]
    return {"@context": f"{PROFILE}/context", "@graph": entities}


def main() -> None:
    parser = Parser("ro_crate", 1, "Describe a finished sweep as a Research Object Crate (RO-Crate 1.1).")
    parser.add_argument("results", type=Path, help="the sweep's folder, with sweep.json")
    results = parser.parse_args().results
    write_text(results / METADATA, json.dumps(crate(results), indent=1) + "\n")


if __name__ == "__main__":
    run(main)
