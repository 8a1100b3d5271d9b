"""The kinds of source by name."""

from pathlib import Path

import made_with
from script_cli import InputError, nearest

from data_sources import bundled, text
from data_sources.hdf5 import read_hdf5
from data_sources.npz import read_npy, read_npz
from data_sources.samples import Samples, check
from data_sources.staging import Staging
from data_sources.text import read_text

FILES = {"text": read_text, "npz": read_npz, "hdf5": read_hdf5}
FOLDERS = {"npy": read_npy}
KNOWN = [
    *bundled.NAMES,
    *text.NAMES,
    *(f"{kind}:FILE" for kind in FILES),
    *(f"{kind}:FOLDER" for kind in FOLDERS),
]


def load(options) -> Samples:
    """The samples of `options.source`, their arrays checked. Raises InputError."""
    samples = read(options, Staging(options.out.parent))
    for part in samples.parts:
        check(part, options.source.partition(":")[2] or options.source)
    return samples


def read(options, staging: Staging) -> Samples:
    source = options.source
    kind, _, path = source.partition(":")
    if source in bundled.NAMES:
        return bundled.bundled(source)
    if source in text.NAMES:
        return text.python_topics(options)
    reader = {**FILES, **FOLDERS}.get(kind)
    if reader is None or not path:
        raise InputError(
            f"--source: unknown source '{source}'; known: {', '.join(KNOWN)}{nearest(source, KNOWN)}"
        )
    path = Path(path)
    if kind in FILES and not path.is_file():
        raise InputError(
            f"--source: {path}: {'a folder, expected a file' if path.is_dir() else 'no such file'}"
        )
    if kind in FOLDERS and not path.exists():
        raise InputError(f"--source: {path}: no such folder")
    made_with.note(path)
    return reader(path, options, staging)
