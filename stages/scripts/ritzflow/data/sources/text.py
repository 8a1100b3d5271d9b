"""text:FILE and python_topics: windows of one text, whose targets are the next characters or tokens."""

import json
from argparse import Namespace
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.samples import UNNAMED, Part, Samples

NAMES = ("python_topics",)


def python_topics(options: Namespace) -> Samples:
    return sequences("\n".join(topics[key] for key in sorted(topics)), options, "python_topics")


def read_text(path: Path, options: Namespace, _staging: object) -> Samples:
    try:
        return sequences(path.read_text(encoding="utf-8"), options, str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"--source: {path}: not UTF-8 text (byte {error.start})") from None


def sequences(text: str, options: Namespace, name: str) -> Samples:
    length = options.max_length or options.context
    if options.tokenizer:
        return tokens(text, length, name, Path(options.tokenizer))
    return characters(text, length, name)


def tokens(text: str, context: int, name: str, folder: Path) -> Samples:
    """The text as the tokenizer of a Hugging Face folder cuts it; classes are the model's vocabulary."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError(
            "--tokenizer: needs `make models-env`, and .venv-models/bin/python to run it"
        ) from None
    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"--tokenizer: {folder}: no tokenizer.json; expected a folder of save_pretrained()")
    made_with.note(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    stream = np.array(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    config = folder / "config.json"
    size = json.loads(config.read_text()).get("vocab_size") if config.is_file() else None
    samples = windows(stream, context, f"{name}: {len(stream)} tokens are too few for --max-length {context}")
    samples.classes = size or tokenizer.get_vocab_size()
    return samples


def characters(text: str, context: int, name: str) -> Samples:
    vocabulary = "".join(sorted(set(text)))
    index = {character: i for i, character in enumerate(vocabulary)}
    stream = np.array([index[character] for character in text], dtype=np.int64)
    samples = windows(stream, context, f"{name}: {len(text)} characters are too few for --context {context}")
    samples.vocabulary = vocabulary
    return samples


def windows(stream: np.ndarray, context: int, too_few: str) -> Samples:
    """Windows of `context`, one after the other; each target is the next character or token."""
    count = (len(stream) - 1) // context
    if count < 1:
        raise InputError(f"--source: {too_few}")
    inputs = stream[: count * context].reshape(count, context)
    targets = stream[1 : count * context + 1].reshape(count, context)
    return Samples(Part({UNNAMED: inputs}, targets), task="language_modeling")
