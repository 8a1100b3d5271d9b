#!/usr/bin/env python3
"""Write data.h5 from a named source: drawn and split by a seed, scaled, checked.

    prepare_data.py --source digits --samples 400 --out data.h5
    prepare_data.py --source text:book.txt --context 64 --out data.h5
    prepare_data.py --source npz:mine.npz --inputs X --targets y --out data.h5

`inputs` and `targets` are the training part, `test/inputs` and `test/targets` the rest;
`split/train_index` and `split/test_index` are rows of the source. Same arguments, same bytes.
"""

import sys
from argparse import BooleanOptionalAction, Namespace, _ArgumentGroup
from pathlib import Path
from typing import Any

from ritzflow.common import environment  # noqa: F401

# isort: split
import numpy as np

from ritzflow.common import made_with
from ritzflow.common.artifact_digest import write
from ritzflow.common.script_cli import InputError, Parser, run
from ritzflow.data.prepared.content import Content
from ritzflow.data.prepared.inputs import read_inputs
from ritzflow.data.prepared.labels import Reading
from ritzflow.data.prepared.split import NONE, draw, fraction
from ritzflow.data.prepared.summary import summary
from ritzflow.data.prepared.targets import TASKS, read_targets
from ritzflow.data.sources.kinds import KNOWN, load
from ritzflow.data.sources.samples import Samples

ALGORITHM = 2
LEAST = {"samples": 2, "context": 1, "max_length": 1, "num_classes": 2, "image_size": 1, "seed": 0}


def parse() -> Namespace:
    parser = Parser("prepare_data", ALGORITHM, "Write data.h5 from a named source.")
    parser.add_argument("--source", required=True, help=", ".join(KNOWN))
    add_arrays(parser.add_argument_group("which arrays or columns"))
    add_meaning(parser.add_argument_group("what they are"))
    add_split(parser.add_argument_group("split and scaling"))
    add_text(parser.add_argument_group("text"))
    parser.add_argument("--out", required=True, type=Path, help="the data.h5 to write")
    options = parser.parse_args()
    check(options)
    return options


def add_arrays(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--inputs", nargs="+", metavar="NAME", help="one, or several that a module takes by name"
    )
    group.add_argument("--targets", "--label", nargs="+", metavar="NAME", help="default: targets")
    group.add_argument("--weights", metavar="NAME", help="weight of each sample (default: weights, if there)")
    group.add_argument("--mask", metavar="NAME", help="1 where a target counts (default: mask, if there)")


def add_meaning(group: _ArgumentGroup) -> None:
    group.add_argument("--task", choices=TASKS, help="default: by the targets, where they fit one only")
    group.add_argument("--num-classes", type=int, help="default: the largest label plus one")
    group.add_argument(
        "--labels",
        choices=["as_is", "renumber"],
        help="labels are 0..C-1, or the values that occur become so",
    )
    group.add_argument(
        "--integer-inputs",
        choices=["tokens", "real"],
        help="indices of embeddings, or numbers to compute with",
    )
    group.add_argument("--layout", choices=["NCHW", "NHWC"], help="where images have their channels")
    group.add_argument("--image-size", type=int, metavar="S", help="images: resize all to S x S pixels")


def add_split(group: _ArgumentGroup) -> None:
    group.add_argument("--samples", type=int, help="samples drawn, training and test together (default: all)")
    group.add_argument("--seed", type=int, default=0, help="seed of the draw and the split")
    group.add_argument(
        "--split",
        type=share,
        help="fraction that forms the training part, or none: parts and order of the source are kept "
        "(default: none where the source has a test part, else 0.8)",
    )
    group.add_argument(
        "--standardize", action=BooleanOptionalAction, default=True, help="scale real inputs and real targets"
    )


def add_text(group: _ArgumentGroup) -> None:
    group.add_argument("--text", metavar="COLUMN", help="tables: the column whose text --tokenizer cuts")
    group.add_argument("--text-pair", metavar="COLUMN", help="tables: the second text of each row")
    group.add_argument("--context", type=int, default=32, help="characters a sequence")
    group.add_argument("--tokenizer", metavar="FOLDER", help="Hugging Face folder whose tokenizer cuts it")
    group.add_argument(
        "--max-length", type=int, help="with --tokenizer: tokens a sequence (default: --context)"
    )


def share(text: str) -> float | str:
    try:
        return NONE if text == NONE else float(text)
    except ValueError:
        raise InputError(f"--split: '{text}' is neither a fraction nor none") from None


def check(options: Namespace) -> None:
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name.replace('_', '-')}: {value} is below {least}")
    if isinstance(options.split, float) and not 0 < options.split <= 1:
        raise InputError(f"--split: {options.split:g} is not in (0, 1]")
    if not options.out.parent.is_dir():
        raise InputError(f"--out: {options.out.parent}: no such folder")


def attributes(options: Namespace, samples: Samples, reading: Reading) -> dict[str, Any]:
    part = fraction(samples, options)
    found = {
        "format": "ritzflow-data",
        "format_version": "1.0",
        "task": reading.task,
        "num_classes": np.int64(reading.classes),
        "source": options.source,
        "seed": np.int64(options.seed),
        "split": NONE if part is None else np.float64(part),
    }
    if samples.vocabulary:
        found |= {"vocabulary": samples.vocabulary, "context": np.int64(options.context)}
    if reading.one_each:
        found["several_labels"] = np.bool_(False)
    return found


def main() -> None:
    options = parse()
    samples = load(options)
    source = options.source.partition(":")[2] or options.source
    reading = read_targets(samples, options, source)
    inputs = read_inputs(samples, reading.task, options, source)
    rows = draw(samples, options)
    content = Content(samples, reading, inputs, rows, options, f"--source: {source}")
    made = made_with.provenance("prepare_data", ALGORITHM)
    write(options.out, content.datasets(), attributes(options, samples, reading), made)
    print(f"prepare_data: {summary(samples, reading, content)}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
