"""Runs of the stage binaries, and what tests read from their files."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("RITZFLOW_BIN", ROOT / "build" / "bin"))
STAGES = (
    "train-model",
    "build-operator",
    "lanczos",
    "ritz-residuals",
    "density",
    "metrics",
    "spectrum",
    "validate",
)
MODES = ("full", "selective", "off", "partial", "parlett_scott", "thick_restart")


def command(stage, *arguments):
    return [str(BIN / stage), *map(str, arguments)]


def run(stage, *arguments, **options):
    return subprocess.run(command(stage, *arguments), capture_output=True, text=True, timeout=300, **options)


def make(out, stage, *arguments, **options):
    """Runs a stage that must succeed; gives its output file."""
    done = run(stage, *arguments, "--out", out, **options)
    assert done.returncode == 0, done.stderr
    return Path(out)


def prepare_data(out, source, *flags):
    """Runs prepare_data.py."""
    script = ROOT / "stages" / "scripts" / "prepare_data.py"
    call = (sys.executable, script, "--source", source, "--out", out, *flags)
    return subprocess.run(list(map(str, call)), capture_output=True, text=True)


def error_line(done):
    """The one line on stderr that starts with `error: `."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def sha256(path):
    with h5py.File(path) as f:
        return f.attrs["content_sha256"]


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def contents(path):
    """Datasets and attributes by name, but for /provenance and the digest over them."""
    items = {}

    def collect(name, thing):
        if name.split("/")[0] == "provenance":
            return
        if isinstance(thing, h5py.Dataset):
            items[name] = thing[()]
        items.update({f"{name}@{key}": value for key, value in thing.attrs.items()})

    with h5py.File(path) as f:
        collect("", f)
        f.visititems(collect)
    del items["@content_sha256"]
    return items


def bits(value):
    """Numbers as bytes, text (of which numpy holds pointers) as it is."""
    value = np.asarray(value)
    return value.tolist() if value.dtype == object else (value.dtype, value.shape, value.tobytes())


def assert_same_contents(a, b, but=()):
    """The same names and the same bits."""
    a, b = contents(a), contents(b)
    assert a.keys() == b.keys()
    for name in a.keys() - set(but):
        assert bits(a[name]) == bits(b[name]), name


def write_matrix(path, matrix):
    with h5py.File(path, "w") as f:
        f["A"] = matrix
    return f"{path}:/A"


def edited(source, target, change):
    """A copy as a user's h5py script would make it: contents changed, no digests."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update({key: value for key, value in old.attrs.items() if key != "content_sha256"})
        change(new)
    return target


def symmetric(n, seed=0):
    """A random dense symmetric matrix whose largest eigenvalues stand apart."""
    random = np.random.default_rng(seed)
    q, _ = np.linalg.qr(random.standard_normal((n, n)))
    values = np.concatenate([10.0 / np.arange(1, 13), np.linspace(-0.5, 0.5, n - 12)])
    a = (q * values) @ q.T
    return (a + a.T) / 2
