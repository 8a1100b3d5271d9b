"""hdf5:FILE, datasets by name; the names of those in groups have slashes."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.named_arrays import choose
from ritzflow.data.sources.samples import Samples, blocks
from ritzflow.data.sources.staging import Staging


def read_hdf5(path: Path, options: Namespace, staging: Staging) -> Samples:
    try:
        with h5py.File(path, "r") as file:
            return choose(Wanted(datasets(file), staging), options, str(path))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py's for damaged files
        raise InputError(f"--source: {path}: not a readable HDF5 file ({error})") from None


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


class Wanted(dict[str, Any]):
    """Datasets by name; one that is asked for is read, the others are not."""

    def __init__(self, datasets: dict[str, h5py.Dataset], staging: Staging) -> None:
        super().__init__(datasets)
        self.staging = staging

    def __getitem__(self, name: str) -> np.ndarray:
        dataset = super().__getitem__(name)
        if h5py.check_string_dtype(dataset.dtype):
            return dataset.asstr()[...].astype(str)
        if dataset.ndim == 0 or dataset.dtype.kind not in "iufb" or dataset.size == 0:
            return dataset[()] if dataset.ndim else np.asarray(dataset[()])
        column = self.staging.column()
        for block in blocks(dataset):
            column.append(block)
        return column.array()
