"""Tables, figures, report and provenance of a sweep: each carries a digest of what it was made from."""

import hashlib
import json
from pathlib import Path

from ritzflow.common.locations import SCRIPTS
from ritzflow.sweep.stale import Comparison
from ritzflow.sweep.sweep_config import canonical
from ritzflow.sweep.types import Config

FIGURES = ("spectrum", "density", "convergence", "orthogonality", "overview")
SWEEP = ("artifacts", "baseline", "blocks", "cells", "recorded", "stale", "summaries", "variants")
TABLES_ROOM = tuple(f"ritzflow/tables/{name}.py" for name in ("cell_records", "references"))
READERS = (*(f"ritzflow/sweep/{name}.py" for name in SWEEP), *TABLES_ROOM)
TABLES = ("ablation_table.py", "ritzflow/tables/table_text.py")
DRAWING = ("figures.py", "ritzflow/tables/figure_style.py")
# The scripts that make each, and the files, of which the first carry the digest.
CODE = {
    "tables": (*TABLES, *READERS),
    "figures": (*DRAWING, *READERS),
    "report": ("report.py", *TABLES, *DRAWING, *READERS),
    "provenance": ("provenance.py", "ritzflow/tables/artifact_facts.py", *READERS),
}
CARRIERS = {
    "tables": [f"tables/ablation.{kind}" for kind in ("csv", "md", "tex")],
    "figures": [f"figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "png")],
    "report": ["report.html"],
    "provenance": ["provenance.json"],
}
FILES = (
    *("sweep.json", "tables/cells.csv", "ro-crate-metadata.json"),
    *(name for names in CARRIERS.values() for name in names),
)


def made_from(kind: str, config: Config, found: Comparison) -> str:
    """Digest of the configuration, of every artifact that stands, and of the scripts that read them."""
    contents = {path: r.content for path, r in found.records.items() if path not in found.reasons}
    code = [(SCRIPTS / name).read_text() for name in CODE[kind]]
    text = json.dumps([canonical(config), contents, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stale(results: Path, config: Config, found: Comparison) -> set[str]:
    """Those that are missing, or carry another digest than one made now from every artifact would."""
    kinds = (
        set(CODE) if found.reasons else {kind for kind in CODE if not carried(results, kind, config, found)}
    )
    if {"tables", "figures"} & kinds:
        kinds.add("report")
    return kinds


def carried(results: Path, kind: str, config: Config, found: Comparison) -> bool:
    digest = made_from(kind, config, found).encode()
    files = [results / name for name in CARRIERS[kind]]
    if kind == "tables" and not cells_match(results / "tables"):
        return False
    return all(file.is_file() and digest in file.read_bytes() for file in files)


def drop_outdated(results: Path, config: Config, found: Comparison) -> None:
    """Removes figures, report and provenance that were made from other cells than those that stand now."""
    for kind in ("figures", "report", "provenance"):
        if not carried(results, kind, config, found):
            for name in CARRIERS[kind]:
                (results / name).unlink(missing_ok=True)


def cells_match(tables: Path) -> bool:
    """Whether cells.csv is the one whose digest ablation.csv has in its last line."""
    try:
        digest = hashlib.sha256((tables / "cells.csv").read_bytes()).hexdigest()
        return digest in (tables / "ablation.csv").read_text()
    except OSError:
        return False
