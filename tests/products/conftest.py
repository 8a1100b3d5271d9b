"""Each module of tests/models exported once a session."""

import json

import pytest
from exports import ARGUMENTS, CASES, export, make_case


@pytest.fixture(scope="session", params=CASES)
def exported(request, tmp_path_factory):
    """Each case, exported uncompiled in both types for micro-batches of 4 (of 7 samples)."""
    name = request.param
    made = make_case(tmp_path_factory.mktemp(name), name)
    flags = (
        "--weights",
        made.file("weights.pt"),
        "--loss",
        made.case.loss,
        "--micro-batch",
        4,
        "--compile",
        "none",
    )
    flags += ("--kwargs", json.dumps(ARGUMENTS.get(name, {})), "--dtype-compute", "float32", "float64")
    done = export(made.folder, name, *flags)
    assert done.returncode == 0, done.stderr
    return made
