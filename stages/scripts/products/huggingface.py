"""Language models in Hugging Face folders, through `transformers` (`make models-env`)."""

from pathlib import Path

import torch
from script_cli import InputError

from products.modules import Model


def load_folder(folder: Path) -> Model:
    """The causal language model of a folder, with its weights: float32, eager attention, no cache."""
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        raise InputError(
            "--hf: needs transformers: run `make models-env`, then .venv-models/bin/python stages/scripts/"
            "export_products.py --hf ..."
        ) from None
    if not (folder / "config.json").is_file():
        raise InputError(f"--hf: {folder}: no config.json; expected a folder of save_pretrained()")
    disable_progress_bar()
    try:
        module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise InputError(f"--hf: {folder}: {' '.join(str(error).split())[:300]}") from None
    module.config.use_cache = False
    return Model(module.eval(), f"transformers:{type(module).__name__}")
