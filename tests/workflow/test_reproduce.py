"""reproduce.py: what a cell's line says of the verdicts on its artifacts."""

import pytest
import scripts_under_test  # noqa: F401

from ritzflow.sweep import cells  # isort: skip
from ritzflow.sweep import places  # isort: skip
import reproduce  # isort: skip

CELL = dict.fromkeys(cells.AXES, "x")
PLACE = "cells/" + places.CELL.format(**CELL)


def record(name, verdict, *notes, deviations=()):
    return {
        "artifact": f"{PLACE}/{name}",
        "verdict": verdict,
        "content_sha256": name,
        "deviations": list(deviations),
        "notes": list(notes),
    }


@pytest.mark.parametrize(
    ("verdict", "notes"),
    [("damaged", ["a/ritz.h5: is damaged", "b/ritz.h5: is gone"]), ("missing", ["not in b"])],
)
def test_what_could_not_be_compared_is_the_cells_verdict_with_its_reason(verdict, notes):
    changed = {"quantity": "alpha", "absolute": 1.0, "relative": 1.0, "where": "[0]: 1 and 2"}
    found = [record("lanczos.h5", "different", deviations=[changed]), record("ritz.h5", verdict, *notes)]
    line = reproduce.row(CELL, found)
    assert line["verdict"] == verdict and line["where"] == "; ".join(notes)
    assert line["largest_deviation"] is None and line["lanczos_sha256"] == "lanczos.h5"


def test_the_largest_deviation_is_named_with_its_artifact():
    small, large = (
        {"quantity": "alpha", "absolute": x, "relative": x, "where": "[0]: 1 and 2"} for x in (1e-9, 1e-3)
    )
    found = [
        record("lanczos.h5", "within tolerance", deviations=[small]),
        record("ritz.h5", "different", deviations=[large]),
    ]
    line = reproduce.row(CELL, found)
    assert (line["verdict"], line["largest_deviation"]) == ("different", 1e-3)
    assert line["where"] == f"{PLACE}/ritz.h5 [0]: 1 and 2"
