"""pt:FILE as torch.save writes it: (inputs, targets), or a dictionary of tensors; no other object."""

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.named_arrays import choose
from ritzflow.data.sources.samples import Samples
from ritzflow.data.sources.staging import Staging

SAVE = 'save tensors alone: torch.save({"inputs": x, "targets": y}, "data.pt")'
SAVE_DATASET = 'x, y = dataset.tensors; torch.save({"inputs": x, "targets": y}, "data.pt")'


def read_pt(path: Path, options: Namespace, _staging: Staging) -> Samples:
    import torch  # here, for its import takes longer than all other work

    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        dataset = "TensorDataset" in str(error) or "torch.utils.data" in str(error)
        what = "holds a data set object, which is not unpickled" if dataset else "not a file of tensors"
        raise InputError(f"--source: {path}: {what}; {SAVE_DATASET if dataset else SAVE}") from None
    return choose(
        {name: array(name, value, path) for name, value in by_name(found, path)}, options, str(path)
    )


def by_name(found: Any, path: Path) -> list[tuple[str, Any]]:
    if isinstance(found, dict):
        return [(str(name), value) for name, value in found.items()]
    if isinstance(found, list | tuple) and len(found) == 2:
        return list(zip(("inputs", "targets"), found))
    what = f"{len(found)} values" if isinstance(found, list | tuple) else f"a {type(found).__name__}"
    raise InputError(f"--source: {path}: {what}, expected a pair (inputs, targets) or a dictionary; {SAVE}")


def array(name: str, value: Any, path: Path) -> np.ndarray:
    """Reduced precision becomes float32, exactly."""
    import torch

    if not isinstance(value, torch.Tensor):
        try:
            return np.asarray(value)
        except ValueError:
            raise InputError(f"--source: {path}: {name}: not an array of numbers; {SAVE}") from None
    if value.layout != torch.strided or value.is_quantized:
        raise InputError(f"--source: {path}: {name}: a sparse or quantized tensor; save it as .to_dense()")
    value = value.detach()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
