"""Two builds of the same sources give the same bits, whatever their optimisation and instrumentation.

RITZFLOW_OTHER_BIN is the folder of the other build's stages; `make sanitize` sets it to that of
AddressSanitizer, which thereby sees every stage at work.
"""

import json
import os
from pathlib import Path

import pytest
import stage_runs
from stage_runs import MODES, make, run

OTHER = os.environ.get("RITZFLOW_OTHER_BIN")
KINDS = ("hessian", "ggn", "mc_fisher", "empirical_fisher", "kfac", "ekfac", "matrix")
LANCZOS = ("--k", 4, "--max-iters", 40, "--tol", 1e-6, "--krylov-dim", 12, "--keep-basis")


def pipeline(folder, good, dense):
    """Every artifact of every stage."""
    folder.mkdir()
    model = make(folder / "model.h5", "train-model", "--data", good.data, "--spec", good.spec)
    files = ("--data", good.data, "--model", model)
    kfac = ("--kfac", make(folder / "factors.h5", "collect-kfac", *files))
    for kind in KINDS:
        inputs = ("--matrix", dense.place) if kind == "matrix" else files
        more = kfac if kind in ("kfac", "ekfac") else ()
        out = make(folder / f"{kind}.h5", "build-operator", "--operator", kind, *inputs, *more)
        lanczos = make(folder / f"lanczos-{kind}.h5", "lanczos", "--operator", out, *LANCZOS)
        make(folder / f"ritz-{kind}.h5", "ritz-residuals", "--operator", out, "--lanczos", lanczos)
        make(folder / f"metrics-{kind}.json", "metrics", "--ritz", folder / f"ritz-{kind}.h5")
    make(folder / "comparison.json", "compare-kfac", "--operator", folder / "ekfac.h5", "--k", 3)
    for mode in MODES:
        pair = ("--operator", folder / "hessian.h5", "--lanczos", folder / f"{mode}.h5")
        make(folder / f"{mode}.h5", "lanczos", *pair[:2], *LANCZOS, "--reorth-mode", mode)
        make(folder / f"ritz-{mode}.h5", "ritz-residuals", *pair)
    make(folder / "density.h5", "density", folder / "full.h5")
    assert run("validate", *folder.glob("*.h5")).returncode == 0
    printed = run("spectrum", *files, "--operator", "hessian", "--k", 3)
    assert printed.returncode == 0, printed.stderr
    return printed.stdout


@pytest.mark.skipif(not OTHER, reason="needs a second build: make sanitize")
def test_another_build_gives_the_same_bits(good, dense, tmp_path, monkeypatch):
    printed = pipeline(tmp_path / "this", good, dense)
    monkeypatch.setattr(stage_runs, "BIN", Path(OTHER))
    assert pipeline(tmp_path / "other", good, dense) == printed
    done = run("audit", tmp_path / "this", tmp_path / "other", "--format", "json")
    verdicts = {item["artifact"]: item["verdict"] for item in json.loads(done.stdout)}
    assert len(verdicts) == 44 and set(verdicts.values()) <= {"same bytes", "same content"}, verdicts
