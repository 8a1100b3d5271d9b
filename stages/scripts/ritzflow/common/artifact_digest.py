"""Artifacts that Python writes: their two digests (docs/formats.md has the rules), and by rename only."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ritzflow.common.atomic_write import atomic_write
from ritzflow.common.script_cli import InputError

USER_BLOCK = 512
BLOCK = 8 << 20  # numbers of a dataset that are digested at a time


@dataclass
class Stream:
    """A dataset that is written a block of rows at a time."""

    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Callable[[], Iterable[np.ndarray]]


def content_sha256(file: h5py.File) -> str:
    """Digest of the datasets and attributes of an open file without /provenance and without itself."""
    items = {f"/@{name}": value for name, value in file.attrs.items() if name != "content_sha256"}

    def collect(name: str, thing: h5py.HLObject) -> None:
        if name.split("/")[0] == "provenance":
            return
        if isinstance(thing, h5py.Dataset):
            text = h5py.check_string_dtype(thing.dtype)
            items[f"/{name}"] = thing.asstr()[()] if text else thing
        items.update({f"/{name}@{attribute}": value for attribute, value in thing.attrs.items()})

    file.visititems(collect)
    digest = hashlib.sha256()
    for key in sorted(items):
        value = items[key] if isinstance(items[key], h5py.Dataset) else np.asarray(items[key])
        text = value.dtype.kind in "OSU"
        shape = ",".join(map(str, value.shape))
        digest.update(f"{key}\0{'string' if text else value.dtype.name}\0{shape}\0".encode())
        if text:
            digest.update(b"".join(str(word).encode() + b"\0" for word in value.ravel()))
        else:
            for block in rows(value):
                digest.update(block.astype(block.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def rows(values: np.ndarray | h5py.Dataset) -> Iterable[np.ndarray]:
    """`values` a block of rows at a time."""
    if values.ndim == 0:
        yield np.asarray(values[()])
        return
    step = max(1, BLOCK // max(1, int(np.prod(values.shape[1:]))))
    for start in range(0, len(values), step):
        yield np.asarray(values[start : start + step])


def create(file: h5py.File, name: str, values: np.ndarray | Stream) -> None:
    if not isinstance(values, Stream):
        text = h5py.string_dtype() if np.asarray(values).dtype.kind in "OU" else None
        file.create_dataset(name, data=values, dtype=text, track_times=False)
        return
    dataset, start = file.create_dataset(name, values.shape, values.dtype, track_times=False), 0
    for block in values.blocks():
        dataset[start : start + len(block)] = block
        start += len(block)


def seal(path: Path) -> None:
    """Puts the SHA-256 of all bytes after the user block into the block of a closed file."""
    with path.open("r+b") as file:
        file.seek(USER_BLOCK)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(f"ritzflow-sha256 1\n{digest}\n".encode().ljust(USER_BLOCK, b"\0"))


def digest_of(path: Path) -> str:
    """content_sha256 of a file, taken where it has none."""
    with h5py.File(path) as file:
        return file.attrs.get("content_sha256") or content_sha256(file)


def is_whole(path: Path) -> bool:
    """Whether the bytes after the user block match its digest; true for a file without one."""
    with path.open("rb") as file:
        block = file.read(USER_BLOCK)
        if not block.startswith(b"ritzflow-sha256 1\n"):
            return True
        return block.split(b"\n")[1].decode() == hashlib.file_digest(file, "sha256").hexdigest()


def require_whole(path: Path) -> None:
    """Raises InputError where a file's bytes are not those of its digest."""
    if not is_whole(path):
        raise InputError(f"{path}: is damaged, its bytes are not those of its digest")


def write(
    out: Path,
    data: dict[str, np.ndarray | Stream],
    attributes: dict[str, Any],
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write beside `out`, then rename: `out` is complete or absent. `provenance` is not part of the digest.

    attributes: of the root by name, of another object as `path@name`.
    """
    with atomic_write(out) as part:
        # h5py keeps no object times: same content, same bytes
        with h5py.File(part, "w", userblock_size=USER_BLOCK) as file:
            for name, values in data.items():
                create(file, name, values)
            for name, value in attributes.items():
                place, _, attribute = name.rpartition("@")
                file[f"/{place}"].attrs[attribute] = value
            if provenance:
                file.create_group("provenance").attrs.update(provenance)
            file.attrs["content_sha256"] = content_sha256(file)
        seal(part)
