"""Models in Hugging Face folders, through `transformers` (`make models-env`): every weight is theirs."""

import json
import re
from pathlib import Path
from typing import Any

import torch

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError, Refusal, listed, nearest
from ritzflow.export.module.modules import Model

# Attention and experts as plain operations on all tokens: they are traced and differentiated twice.
PLAIN = {"attn_implementation": "eager", "experts_implementation": "batched_mm", "local_files_only": True}


def load_folder(folder: Path, base: Path | None) -> tuple[Model, str]:
    """The model of a folder of save_pretrained(), or of an adapter on its base; and what was read."""
    try:
        from transformers.utils import logging
    except ImportError:
        raise InputError(
            "--hf: needs transformers: run `make models-env`, then .venv-models/bin/python stages/scripts/"
            "export_products.py --hf ..."
        ) from None
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what it would warn of is refused
    if (folder / "adapter_config.json").is_file():
        from ritzflow.export.weights.adapters import load_adapter

        return load_adapter(folder, base)
    if base is not None:
        raise InputError(f"--hf-base: {folder} is not an adapter (no adapter_config.json): omit --hf-base")
    config = read_json(folder, "config.json")
    module, missing = load_model(folder, class_of(folder, config))
    refuse_missing(folder, missing)
    return finished(module, f"transformers:{type(module).__name__}", folder)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    if not (folder / name).is_file():
        raise InputError(f"--hf: {folder}: no {name}; expected a folder of save_pretrained()")
    try:
        return json.loads((folder / name).read_text())
    except ValueError as error:
        raise InputError(f"--hf: {folder}/{name}: not JSON ({error})") from None


def class_of(folder: Path, config: dict[str, Any]) -> Any:
    """The class that the folder was saved from, by `architectures` of its config."""
    import transformers

    names = config.get("architectures") or []
    if len(names) != 1:
        raise InputError(
            f"--hf: {folder}/config.json: 'architectures' is {names}; expected the one class that "
            "save_pretrained() was called on, such as BertForSequenceClassification"
        )
    found = getattr(transformers, names[0], None)
    if found is None and config.get("auto_map"):
        raise Refusal(
            f"--hf: {folder}: {names[0]} is code of the folder's own (trust_remote_code), which is not run; "
            "write a function that makes the module, and use --module with --weights FOLDER"
        )
    if found is None:
        raise InputError(
            f"--hf: {folder}: transformers has no {names[0]}{nearest(names[0], dir(transformers))}"
        )
    return found


def load_model(folder: Path, kind: Any) -> tuple[torch.nn.Module, list[str]]:
    """The module with the folder's weights, and the names that the folder does not have.

    Raises InputError where the folder has tensors that the module does not, or of other shapes.
    """
    made_with.note(folder)
    config = read_json(folder, "config.json")
    if config.get("quantization_config"):
        raise Refusal(
            f"--hf: {folder}: the weights are quantised, which has no curvature; export the full ones"
        )
    wide = "float64" in (config.get("dtype"), config.get("torch_dtype"))
    expendable = getattr(kind, "_keys_to_ignore_on_load_missing", None) or []
    kind._keys_to_ignore_on_load_missing = (
        None  # also of parameters that transformers would make anew in silence
    )
    try:
        module, found = kind.from_pretrained(
            folder,
            dtype=torch.float64 if wide else torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by name
            **PLAIN,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"--hf: {folder}: {' '.join(str(error).split())[:300]}") from None
    refuse_others(folder, found)
    parameters = dict(module.named_parameters())
    missing = found["missing_keys"]
    return module, sorted(
        name for name in missing if name in parameters or not any(re.search(p, name) for p in expendable)
    )


def refuse_others(folder: Path, found: dict[str, Any]) -> None:
    """Raises InputError for what transformers met beside the weights that it put in place."""
    if shapes := sorted(found["mismatched_keys"]):
        named = [f"{name} has {list(stored)}, the model's {list(own)}" for name, stored, own in shapes]
        raise InputError(f"--hf: {folder}: of another shape: {listed(named)}")
    if unexpected := sorted(found["unexpected_keys"]):
        raise InputError(f"--hf: {folder}: tensors that the model does not have: {listed(unexpected)}")
    if errors := found["error_msgs"]:
        raise InputError(f"--hf: {folder}: {' '.join(str(errors[0]).split())[:300]}")


def refuse_missing(folder: Path, missing: list[str]) -> None:
    if missing:
        raise InputError(f"--hf: {folder}: missing, and would be random: {listed(missing)}")


def finished(module: torch.nn.Module, origin: str, folder: Path) -> tuple[Model, str]:
    """In evaluation mode and without cache; with the line on what was read."""
    if hasattr(module.config, "use_cache"):
        module.config.use_cache = False
    count = len(list(module.parameters()))
    return Model(module.eval(), origin), f"weights: {origin.split(':')[1]} of {folder}, {count} parameters"
