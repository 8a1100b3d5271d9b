"""Adapters of peft on a base model: frozen base, adapter with requires_grad (`--trainable`: it alone)."""

import warnings
from pathlib import Path
from typing import Any

import torch

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError, Refusal, listed
from ritzflow.export.module.modules import Model
from ritzflow.export.weights import checkpoint_files
from ritzflow.export.weights.huggingface import class_of, finished, load_model, read_json, refuse_missing

WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
INSIDE = "base_model.model."  # what peft puts before the base's names
HEADS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
}


def load_adapter(folder: Path, base: Path | None) -> tuple[Model, str]:
    """The adapter of a folder on its base. Every tensor of both is the folders'."""
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError:
        raise InputError("--hf: an adapter needs peft: run `make models-env` again") from None
    made_with.note(folder)
    config = read_json(folder, "adapter_config.json")
    base = base_of(folder, config, base)
    stored = stored_weights(folder)
    module, missing = load_model(base, kind_of(base, config))
    heads = {name.removeprefix(INSIDE) for name in stored}  # of modules_to_save, such as a classifier
    refuse_missing(base, [name for name in missing if name not in heads])
    with torch.no_grad():
        for name in missing:
            module.get_parameter(name).zero_()  # the adapter's are used instead
    try:
        with warnings.catch_warnings(action="ignore"):  # of missing tensors, which are refused
            module = PeftModel.from_pretrained(module, folder, is_trainable=True, torch_device="cpu")
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(f"--hf: {folder}: {' '.join(str(error).split())[:300]}") from None
    require_equal(folder, stored, get_peft_model_state_dict(module))
    model, _ = finished(module, f"peft:{type(module.get_base_model()).__name__}", folder)
    return (
        model,
        f"weights: {config.get('peft_type', 'adapter')} of {folder} on {base}, {len(stored)} tensors",
    )


def base_of(folder: Path, config: dict[str, Any], base: Path | None) -> Path:
    """The folder of the base model: --hf-base, or what the adapter names where it is a folder here."""
    if base is not None:
        return base
    named = Path(config.get("base_model_name_or_path") or "")
    for place in (named, folder / named):
        if named.name and (place / "config.json").is_file():
            return place
    raise InputError(f"--hf: {folder}: its base '{named}' is not a folder here; name one by --hf-base")


def kind_of(base: Path, config: dict[str, Any]) -> Any:
    """The class of the base, or with the head of the adapter's task where the base was saved without one."""
    import transformers

    kind = class_of(base, read_json(base, "config.json"))
    head = HEADS.get(config.get("task_type", ""), "")
    if not head or kind.__name__.endswith(head.removeprefix("AutoModel")):
        return kind
    return getattr(transformers, head)


def stored_weights(folder: Path) -> dict[str, torch.Tensor]:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return checkpoint_files.read_file(folder / name)
    raise InputError(f"--hf: {folder}: expected {' or '.join(WEIGHTS)}")


def require_equal(folder: Path, stored: dict[str, Any], loaded: dict[str, Any]) -> None:
    """Raises where the adapter in the model is not the folder's, tensor by tensor."""
    refuse_missing(folder, sorted(loaded.keys() - stored.keys()))
    if unexpected := sorted(stored.keys() - loaded.keys()):
        raise InputError(f"--hf: {folder}: tensors that the adapter does not have: {listed(unexpected)}")
    changed = [name for name, t in stored.items() if not torch.equal(t.to(loaded[name].dtype), loaded[name])]
    if changed:
        raise Refusal(f"--hf: {folder}: peft did not load the folder's {listed(changed)}")
