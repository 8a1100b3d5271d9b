"""Texts of a table with a label each, as the tokenizer of a Hugging Face folder cuts them.

Inputs are what the tokenizer gives (input_ids, attention_mask, token_type_ids), padded to --max-length.
"""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ritzflow.common import made_with
from ritzflow.common.progress_line import Progress
from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.columns import targets
from ritzflow.data.sources.samples import Part, Samples
from ritzflow.data.sources.staging import Column, Staging
from ritzflow.data.sources.table_files import Table
from ritzflow.data.sources.tables import require, target_names


def tokenized(table: Table, options: Namespace, staging: Staging) -> Samples:
    place = f"--source: {table.path}"
    for flag in ("inputs", "weights", "mask"):
        if getattr(options, flag):
            raise InputError(
                f"--{flag}: the inputs of --text are what the tokenizer gives; leave --{flag} out"
            )
    texts = [name for name in (options.text, options.text_pair) if name]
    for role, name in zip(("text", "text-pair"), texts):
        require(table, name, role)
    labels = target_names(table, options)
    if len(labels) > 1:
        raise InputError("--label: one column, please, where texts have one label each")
    encoder = Encoder(options, staging)
    kept: list[Any] = []
    with Progress(str(table.path)) as progress:
        for chunk in table.chunks:
            check_words(chunk, texts, len(kept), place)
            encoder.add([chunk[name] for name in texts])
            kept.extend(chunk[labels[0]])
            progress(len(kept))
    if not kept:
        raise InputError(f"{place}: no data (no row after the names)")
    part = Part(encoder.inputs(), targets(kept, labels[0], place))
    return Samples(part, class_order=label_order(Path(options.tokenizer)), notes=encoder.notes())


def check_words(chunk: dict[str, list[Any]], texts: list[str], row: int, place: str) -> None:
    for name in texts:
        for i, value in enumerate(chunk[name], row + 1):
            if not isinstance(value, str) or not value.strip():
                raise InputError(f"{place}: column '{name}', row {i}: no text ({value!r})")


def label_order(folder: Path) -> list[str] | None:
    """Names of the classes in the order of the model's own labels, from its config.json."""
    config = folder / "config.json"
    names = json.loads(config.read_text()).get("id2label") if config.is_file() else None
    return [names[key] for key in sorted(names, key=int)] if names else None


class Encoder:
    """Token ids of fixed length, in files."""

    def __init__(self, options: Namespace, staging: Staging) -> None:
        self.tokenizer, self.length = load_tokenizer(options), options.max_length
        self.staging = staging
        self.columns: dict[str, Column] = {}
        self.cut = 0

    def add(self, texts: list[list[str]]) -> None:
        lengths = self.tokenizer(*texts, truncation=False, verbose=False)["input_ids"]
        self.cut += sum(len(ids) > self.length for ids in lengths)
        encoded = self.tokenizer(*texts, truncation=True, padding="max_length", max_length=self.length)
        for name, values in encoded.items():
            self.columns.setdefault(name, self.staging.column()).append(np.array(values, dtype=np.int64))

    def inputs(self) -> dict[str, np.ndarray]:
        return {name: column.array() for name, column in self.columns.items()}

    def notes(self) -> list[str]:
        return [f"{self.cut} texts cut at {self.length} tokens"] if self.cut else []


def load_tokenizer(options: Namespace) -> Any:
    if not options.tokenizer or not options.max_length:
        raise InputError("--text: needs --tokenizer FOLDER and --max-length N")
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise InputError(
            "--tokenizer: needs `make models-env`, and .venv-models/bin/python to run it"
        ) from None
    made_with.note(options.tokenizer)
    try:
        tokenizer = AutoTokenizer.from_pretrained(options.tokenizer, local_files_only=True)
    except (OSError, ValueError) as error:
        line = str(error).splitlines()[0]
        raise InputError(
            f"--tokenizer: {options.tokenizer}: no tokenizer of save_pretrained() ({line})"
        ) from None
    if tokenizer.pad_token is None:
        raise InputError(
            f"--tokenizer: {options.tokenizer}: has no padding token; set one as at the training, such as "
            "tokenizer.pad_token = tokenizer.eos_token, and save_pretrained() it"
        )
    return tokenizer
