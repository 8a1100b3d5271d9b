"""Weights files as trainers write them: what they hold, read without running any code of theirs."""

import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import torch

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError

# Names that Accelerate, the Trainer and FSDP give to the weights in a folder.
USUAL = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model_fsdp.bin",
]
OTHERS = re.compile(r"(optimizer|scheduler|scaler|sampler|rng_state|random_states|training_args|custom_)")
CONSTANT = "constant."  # of model.h5: tensors that the module makes by itself
SHARD = re.compile(r"-\d+-of-(\d+)\.(safetensors|bin)$")


def read(path: Path) -> tuple[Path, dict[str, Any]]:
    """The file that `--weights` means, and what it holds: names to tensors, or dictionaries of those."""
    if path.is_dir():
        path = file_of_folder(path)
    if not path.is_file():
        raise InputError(f"--weights: {path}: no such file or folder")
    if path.name.endswith(".index.json"):
        return path, read_index(path)
    if shard := SHARD.search(path.name):
        whole = f"one of {int(shard[1])} shards; name their folder or its .index.json"
        raise InputError(f"--weights: {path}: {whole}")
    return path, read_file(path)


def read_file(path: Path) -> dict[str, Any]:
    """The contents of one file, whose kind shows in its first bytes."""
    made_with.note(path)
    with path.open("rb") as file:
        start = file.read(9)
    if h5py.is_hdf5(path):
        return read_h5(path)
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return read_safetensors(path)
    return read_pickle(path)


def file_of_folder(folder: Path) -> Path:
    """The one file of weights in a folder. Raises InputError where there is none, or a choice."""
    found = [name for name in USUAL if (folder / name).is_file()]
    if not found:
        endings = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.suffix in endings)
        found = [name for name in names if not OTHERS.match(name) and not SHARD.search(name)]
    if len(found) > 1:
        raise InputError(f"--weights: {folder} holds {', '.join(found)}: name the file that is meant")
    if not found:
        raise InputError(f"--weights: {folder}: no weights in it{what_else(folder)}")
    return folder / found[0]


def what_else(folder: Path) -> str:
    """What a folder without weights holds instead, and how weights are made of it."""
    if any(folder.rglob("*.distcp")):
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt"
        return f", but a sharded checkpoint (.distcp); gather it first: {convert}"
    if (folder / "zero_to_fp32.py").is_file():
        return ", but a checkpoint of DeepSpeed; gather it first: python zero_to_fp32.py . weights"
    if (folder / "adapter_config.json").is_file():
        return ", but an adapter of peft; export it by --hf"
    if checkpoints := sorted(p.name for p in folder.glob("checkpoint-*")):
        return f"; it has the checkpoints {', '.join(checkpoints[:8])}: name one"
    return f"; expected one of {', '.join(USUAL)}, or a single .safetensors, .bin, .pt, .pth or .ckpt"


def read_index(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of all shards that an index names."""
    made_with.note(path)
    try:
        places = json.loads(path.read_text())["weight_map"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"--weights: {path}: no index of shards ('weight_map' is missing)") from None
    state: dict[str, torch.Tensor] = {}
    for name in sorted(set(places.values())):
        if not (path.parent / name).is_file():
            raise InputError(f"--weights: {path}: the shard {name} is missing")
        state |= read_file(path.parent / name)
    if lost := sorted(places.keys() - state.keys()):
        raise InputError(f"--weights: {path}: '{lost[0]}' is not in its shard {places[lost[0]]}")
    return state


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"--weights: {path}: not a safetensors file ({error})") from None


def read_h5(path: Path) -> dict[str, torch.Tensor]:
    """The last step of a model.h5."""
    try:
        with h5py.File(path) as file:
            step = max(file["steps"])
            held = file[f"points/{step}"] if "points" in file else file
            state = {name: torch.from_numpy(data[()]) for name, data in file[f"steps/{step}"].items()}
            state |= {name: torch.from_numpy(data[()]) for name, data in held.get("buffers", {}).items()}
            return {name: t for name, t in state.items() if not name.startswith(CONSTANT)}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"--weights: {path}: not a model.h5 with a step ({error})") from None


class Skipped:
    """Stands for an object of a class that PyTorch does not read without running code, such as a config."""

    is_module = False

    def __new__(cls, *_: object, **__: object) -> Any:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.is_module = isinstance(state, dict) and "_modules" in state


def read_pickle(path: Path) -> dict[str, Any]:
    """What torch.save wrote. Objects of other classes are skipped: no class is imported, no code is run."""
    zipped = zipfile.is_zipfile(path)
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipped else []
        classes: list[Any] = [(type(name, (Skipped,), {}), name) for name in names]
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(classes):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except Exception as error:  # torch.load raises whatever the pickle makes it do
        raise InputError(f"--weights: {path}: {why_unreadable(str(error))}") from None
    if whole := whole_module(content):
        raise InputError(f"--weights: {path}: {whole}; {rescue(path)}")
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InputError(f"--weights: {path}: holds {kind}; expected module.state_dict()")
    return content


def whole_module(content: object) -> str:
    """Names the class of a module that was pickled as a whole, at the top or one level down."""
    for key, value in {"": content, **(content if isinstance(content, dict) else {})}.items():
        if isinstance(value, Skipped) and value.is_module:
            name = f"'{key}' is " if key else ""
            return f"{name}a whole pickled module ({type(value).__name__})"
    return ""


def rescue(path: Path) -> str:
    """How the user saves weights alone."""
    load = f"module = torch.load('{path}', weights_only=False)"
    return (
        "reading it means running its code. If you trust it, save its weights alone: "
        f"{load}; torch.save(module.state_dict(), 'weights.pt')"
    )


def why_unreadable(text: str) -> str:
    """The reason in an error of torch.load."""
    alone = "which only running code can read; save module.state_dict() alone"
    if "torchscript" in text.lower():
        return "a TorchScript archive; save weights alone: torch.save(loaded.state_dict(), 'weights.pt')"
    if found := re.search(r"GLOBAL (\S+)", text):
        return f"holds '{found[1]}', {alone}"
    if "Can only" in text or "Trying to call" in text:
        return f"holds objects, dictionaries or lists of classes of its own, {alone}"
    return "not a file of torch.save, in its own pickle protocol, .safetensors or model.h5, or a damaged one"
