"""npz:FILE, arrays by name as numpy.savez writes them, and npy:FOLDER, an array a file."""

import errno
import zipfile
import zlib
from argparse import Namespace
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.named_arrays import choose
from ritzflow.data.sources.samples import Samples
from ritzflow.data.sources.staging import Staging

NPY = b"\x93NUMPY"


def read_npz(path: Path, options: Namespace, staging: Staging) -> Samples:
    with path.open("rb") as file:
        if file.read(len(NPY)) == NPY:
            raise InputError(f"--source: {path}: one array (.npy), no .npz archive; {how_to_save(path)}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = {name.removesuffix(".npy"): member(archive, name, path, staging) for name in names}
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # places outside the file
            raise
        line = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"--source: {path}: not an .npz archive as numpy.savez writes it ({line})") from None
    return choose(arrays, options, str(path))


def how_to_save(path: Path) -> str:
    return (
        f"np.savez(FILE, inputs=..., targets=...) writes one, npy:{path.parent} takes a folder of .npy files"
    )


def member(archive: zipfile.ZipFile, name: str, path: Path, staging: Staging) -> np.ndarray:
    with archive.open(name) as stream:
        try:
            return staging.npy(stream)
        except ValueError as error:
            raise InputError(f"--source: {path}: array {name.removesuffix('.npy')}: {error}") from None


def read_npy(folder: Path, options: Namespace, staging: Staging) -> Samples:
    if not folder.is_dir():
        raise InputError(
            f"--source: {folder}: expected a folder of .npy files: npy:{folder.parent}, with --inputs and "
            "--targets for their names without .npy"
        )
    arrays = {}
    for path in sorted(folder.glob("*.npy")):
        try:
            arrays[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, SyntaxError, TokenError):
            raise InputError(f"--source: {path}: not an .npy file of plain values") from None
    if not arrays:
        raise InputError(f"--source: {folder}: no .npy file in it")
    return choose(arrays, options, str(folder))
