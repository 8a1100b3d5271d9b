"""The two digests of an artifact that Python writes (docs/formats.md has the rules)."""

import hashlib
from pathlib import Path

import h5py
import numpy as np

USER_BLOCK = 512


def content_sha256(file: h5py.File) -> str:
    """Digest of the datasets and attributes of an open file without /provenance and without itself."""
    items = {f"/@{name}": value for name, value in file.attrs.items() if name != "content_sha256"}

    def collect(name: str, thing: h5py.HLObject) -> None:
        if name.split("/")[0] == "provenance":
            return
        if isinstance(thing, h5py.Dataset):
            text = h5py.check_string_dtype(thing.dtype)
            items[f"/{name}"] = thing.asstr()[()] if text else thing[()]
        items.update({f"/{name}@{attribute}": value for attribute, value in thing.attrs.items()})

    file.visititems(collect)
    digest = hashlib.sha256()
    for key in sorted(items):
        value = np.asarray(items[key])
        text = value.dtype.kind in "OSU"
        shape = ",".join(map(str, value.shape))
        digest.update(f"{key}\0{'string' if text else value.dtype.name}\0{shape}\0".encode())
        if text:
            digest.update(b"".join(str(word).encode() + b"\0" for word in value.ravel()))
        else:
            digest.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def seal(path: Path) -> None:
    """Puts the SHA-256 of all bytes behind the user block into the block of a closed file."""
    with path.open("r+b") as file:
        file.seek(USER_BLOCK)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(f"ritzflow-sha256 1\n{digest}\n".encode().ljust(USER_BLOCK, b"\0"))
