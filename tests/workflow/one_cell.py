"""A sweep of one cell whose Lanczos run is long enough to be stopped."""

import h5py
import yaml
from scripts_under_test import ROOT

LANCZOS = "results/tiny/cells/digits_mlp/seed0/step20/hessian/full/probe0/lanczos.h5"


def write(path, max_iters, change=lambda raw: None):
    """The sweep file: configs/tiny.yaml cut to one cell, then changed."""
    raw = yaml.safe_load((ROOT / "configs" / "tiny.yaml").read_text())
    raw |= {"seeds": [0], "operators": {"hessian": {"dtype_compute": "float64"}}, "reorth_modes": ["full"]}
    raw["lanczos"] |= {"max_iters": max_iters, "tol": 1e-300}
    change(raw)
    path.write_text(yaml.safe_dump(raw))
    return path


def content(folder):
    """content_sha256 of the run."""
    with h5py.File(folder / LANCZOS) as file:
        return file.attrs["content_sha256"]
