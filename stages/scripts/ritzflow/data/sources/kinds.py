"""The kinds of source by name."""

from argparse import Namespace
from pathlib import Path

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError, nearest
from ritzflow.data.sources import bundled, text
from ritzflow.data.sources.function import read_function
from ritzflow.data.sources.hdf5 import read_hdf5
from ritzflow.data.sources.images import read_images
from ritzflow.data.sources.npz import read_npy, read_npz
from ritzflow.data.sources.pt import read_pt
from ritzflow.data.sources.samples import Samples, check
from ritzflow.data.sources.staging import Staging
from ritzflow.data.sources.tables import read_table
from ritzflow.data.sources.text import read_text

TABLES = ("csv", "jsonl", "parquet")
FILES = {
    "text": read_text,
    "npz": read_npz,
    "hdf5": read_hdf5,
    "pt": read_pt,
    **{k: read_table(k) for k in TABLES},
}
FOLDERS = {"npy": read_npy, "images": read_images}
FUNCTION = "dataset"
BY_NAME = ("npz", "hdf5", "npy", "pt", *TABLES, FUNCTION)
SAYS_SOMETHING = {  # of which kinds
    "inputs": BY_NAME,
    "targets": BY_NAME,
    "weights": BY_NAME,
    "mask": BY_NAME,
    "text": TABLES,
    "text_pair": TABLES,
    "tokenizer": (*text.NAMES, "text", *TABLES),
    "max_length": (*text.NAMES, "text", *TABLES),
    "image_size": ("images",),
}
KNOWN = [
    *bundled.NAMES,
    *text.NAMES,
    *(f"{kind}:FILE" for kind in FILES),
    *(f"{kind}:FOLDER" for kind in FOLDERS),
    f"{FUNCTION}:PACKAGE.MODULE:FUNCTION",
]


def load(options: Namespace) -> Samples:
    """The samples of `options.source`, their arrays checked. Raises InputError."""
    samples = read(options, Staging(options.out.parent))
    for part in samples.parts:
        check(part, options.source.partition(":")[2] or options.source)
    return samples


def read(options: Namespace, staging: Staging) -> Samples:
    source = options.source
    kind, _, path = source.partition(":")
    refuse_idle_flags(kind, options)
    if source in bundled.NAMES:
        return bundled.bundled(source)
    if source in text.NAMES:
        return text.python_topics(options)
    if kind == FUNCTION and path:
        return read_function(path, options, staging)
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


def refuse_idle_flags(kind: str, options: Namespace) -> None:
    """A flag that would be ignored is a misunderstanding."""
    known = [*bundled.NAMES, *text.NAMES, *FILES, *FOLDERS, FUNCTION]
    for flag, kinds in SAYS_SOMETHING.items():
        if getattr(options, flag) and kind in known and kind not in kinds:
            name = flag.replace("_", "-")
            raise InputError(f"--{name}: says nothing of {kind}; it is for {', '.join(kinds)}")
