"""Runs of collect-kfac, and what tests read from its files."""

import h5py
import numpy as np
from network_problems import FLOAT64
from problems import build, run


def collect(folder, *flags, out="kfac.h5"):
    return run(
        "collect-kfac", "--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / out,
        *FLOAT64, *flags,
    )  # fmt: skip


def stored_factor(layer, factor):
    values, vectors = layer[f"{factor}_eigenvalues"][:], layer[f"{factor}_eigenvectors"][:]
    return vectors @ np.diag(values) @ vectors.T


def without_layer(path, name, out):
    """A user's factor file that lacks one layer."""
    with h5py.File(path) as ours, h5py.File(out, "w") as user:
        user.attrs.update({k: v for k, v in ours.attrs.items() if k != "content_sha256"})
        ours.copy("layers", user)
        del user[f"layers/{name}"]


def refusal(folder, path, kind="kfac"):
    done = build(folder, kind, "--kfac", path, out="none.h5")
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: "), done.stderr
    assert not (folder / "none.h5").exists()
    return done.stderr
