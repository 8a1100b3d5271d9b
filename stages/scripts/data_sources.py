"""Where data come from: each source gives inputs, targets and the task, as they are before any split."""

import json
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import h5py
import numpy as np
from script_cli import InputError, nearest

BUNDLED = ("digits", "wine", "breast_cancer", "iris", "diabetes")
TEXTS = ("python_topics",)
FILES = ("text", "npz", "hdf5")


@dataclass
class Samples:
    """inputs [N,...] (real, or integer tokens [N,T]); targets [N] or [N,T]; task; vocabulary of a text."""

    inputs: np.ndarray
    targets: np.ndarray
    task: str
    divisor: float | None = None  # inputs have a natural range: divide by it instead of standardising
    vocabulary: str | None = None
    classes: int | None = None  # where the source knows how many there are


def load(source: str, context: int, tokenizer: str | None = None) -> Samples:
    """The samples of `source`; a text is cut by characters, or by a tokenizer. Raises InputError."""
    kind, _, path = source.partition(":")
    if source in BUNDLED:
        return bundled(source)
    if source in TEXTS:
        return sequences("\n".join(topics[key] for key in sorted(topics)), context, source, tokenizer)
    if kind not in FILES or not path:
        known = [*BUNDLED, *TEXTS, *(f"{name}:FILE" for name in FILES)]
        raise InputError(
            f"--source: unknown source '{source}'; known: {', '.join(known)}{nearest(source, known)}"
        )
    if not Path(path).is_file():
        raise InputError(f"--source: {path}: no such file")
    if kind == "text":
        return sequences(read_text(path), context, path, tokenizer)
    return arrays(path, *(read_npz(path) if kind == "npz" else read_hdf5(path)))


def bundled(name: str) -> Samples:
    """A data set that ships with scikit-learn; digits as images [N,1,8,8] with values in 0..16."""
    from sklearn import datasets  # here, for its import takes longer than all other work

    data = getattr(datasets, f"load_{name}")()
    if name == "digits":
        return Samples(data.images[:, None, :, :], data.target, "classification", divisor=16.0)
    return Samples(data.data, data.target, "regression" if name == "diabetes" else "classification")


def sequences(text: str, context: int, name: str, tokenizer: str | None) -> Samples:
    return tokens(text, context, name, Path(tokenizer)) if tokenizer else characters(text, context, name)


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
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    stream = np.array(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    count = (len(stream) - 1) // context
    if count < 1:
        raise InputError(f"--source: {name}: {len(stream)} tokens are too few for --max-length {context}")
    shape, config = (count, context), folder / "config.json"
    size = json.loads(config.read_text()).get("vocab_size") if config.is_file() else None
    return Samples(
        stream[: count * context].reshape(shape),
        stream[1 : count * context + 1].reshape(shape),
        "language_modeling",
        classes=size or tokenizer.get_vocab_size(),
    )


def characters(text: str, context: int, name: str) -> Samples:
    """Windows of `context` characters, one behind the other; each target is the next character."""
    count = (len(text) - 1) // context
    if count < 1:
        raise InputError(f"--source: {name}: {len(text)} characters are too few for --context {context}")
    vocabulary = "".join(sorted(set(text)))
    index = {character: i for i, character in enumerate(vocabulary)}
    tokens = np.array([index[character] for character in text[: count * context + 1]], dtype=np.int64)
    shape = (count, context)
    return Samples(
        tokens[:-1].reshape(shape), tokens[1:].reshape(shape), "language_modeling", vocabulary=vocabulary
    )


def read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"--source: {path}: not UTF-8 text (byte {error.start})") from None


def read_npz(path: str):
    try:
        with np.load(path, allow_pickle=False) as archive:
            return tuple(archive[name] for name in ("inputs", "targets"))
    except KeyError:
        raise InputError(f"--source: {path}: expected arrays 'inputs' and 'targets'") from None
    except (ValueError, OSError, EOFError, AttributeError) as error:
        raise InputError(f"--source: {path}: not an .npz file of plain arrays ({error})") from None


def read_hdf5(path: str):
    try:
        with h5py.File(path, "r") as file:
            return tuple(file[name][...] for name in ("inputs", "targets"))
    except KeyError:
        raise InputError(f"--source: {path}: expected datasets 'inputs' and 'targets'") from None
    except OSError as error:
        raise InputError(f"--source: {path}: not a readable HDF5 file ({error})") from None


def arrays(path: str, inputs: np.ndarray, targets: np.ndarray) -> Samples:
    """A user's arrays: integer targets [N,T] are tokens, integer targets [N] labels, real ones regression."""
    for name, values in (("inputs", inputs), ("targets", targets)):
        if values.dtype.kind not in "iufb" or values.ndim == 0:
            raise InputError(f"--source: {path}: '{name}' is not an array of numbers ({values.dtype})")
    if len(inputs) != len(targets):
        raise InputError(f"--source: {path}: {len(inputs)} inputs but {len(targets)} targets")
    if inputs.ndim == 1:
        inputs = inputs[:, None]
    if targets.dtype.kind == "f":
        return Samples(inputs, targets, "regression")
    return Samples(inputs, targets, "language_modeling" if targets.ndim == 2 else "classification")
