#!/usr/bin/env python3
"""Write data.h5 from a named source: drawn and split by a seed, scaled, checked.

    prepare_data.py --source digits --samples 400 --out data.h5
    prepare_data.py --source text:book.txt --context 64 --out data.h5
    prepare_data.py --source npz:mine.npz --task classification --out data.h5

`inputs` and `targets` are the training part, `test/inputs` and `test/targets` the rest;
`split/train_index` and `split/test_index` are rows of the source. Same arguments, same bytes.
"""

from argparse import BooleanOptionalAction
from pathlib import Path

import numpy as np
from artifact_digest import write
from data_sources import Samples, load
from script_cli import InputError, Parser, run

ALGORITHM = 1


def check(samples: Samples, source: str, num_classes: int | None) -> int:
    """Number of classes (of outputs, for regression). Raises InputError for what no stage can train on."""
    inputs, targets = samples.inputs, samples.targets
    if inputs.size == 0 or targets.size == 0:
        raise InputError(f"--source: {source}: no data (inputs {inputs.shape}, targets {targets.shape})")
    for name, values in (("inputs", inputs), ("targets", targets)):
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"--source: {source}: {name} hold NaN or infinity, first at {tuple(map(int, bad[0]))}"
            )
    if samples.task == "regression":
        return 1 if targets.ndim == 1 else targets.shape[1]
    if np.any(targets != np.round(targets)):
        raise InputError(
            f"--source: {source}: labels are not integers; use --task regression for real targets"
        )
    return check_labels(samples, source, num_classes)


def check_labels(samples: Samples, source: str, num_classes: int | None) -> int:
    """Labels (and tokens, which share their vocabulary) lie in 0..C-1."""
    labels = [samples.targets]
    if samples.task == "language_modeling":
        if samples.inputs.dtype.kind not in "iu" or samples.inputs.shape != samples.targets.shape:
            raise InputError(
                f"--source: {source}: token targets [N,T] need integer inputs of the same shape; "
                "several labels a sample [N,C] are given with --task classification"
            )
        labels.append(samples.inputs)
    elif samples.targets.ndim == 2:
        return check_multiple_labels(samples.targets, source)
    elif samples.targets.ndim != 1:
        raise InputError(f"--source: {source}: labels must be [N] or [N,C], got {samples.targets.shape}")
    low, high = min(a.min() for a in labels), max(a.max() for a in labels)
    known = samples.classes or (len(samples.vocabulary) if samples.vocabulary else None)
    classes = num_classes or known or int(high) + 1
    if low < 0 or high >= classes:
        raise InputError(f"--source: {source}: labels {low:g}..{high:g} are out of range 0..{classes - 1}")
    return classes


def check_multiple_labels(labels: np.ndarray, source: str) -> int:
    """Several labels a sample: 0 or 1 for each class; the number of classes."""
    bad = np.argwhere((labels != 0) & (labels != 1))
    if len(bad):
        place = tuple(map(int, bad[0]))
        raise InputError(
            f"--source: {source}: targets [N,C] of a classification must be 0 or 1, first other at {place}"
        )
    return labels.shape[1]


def draw(total: int, samples: int | None, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the training and of the test part: a seeded permutation, cut twice."""
    if samples is not None and samples > total:
        raise InputError(f"--samples: {samples} wanted, but the source has {total}")
    rows = np.random.default_rng(seed).permutation(total)[:samples]
    cut = max(1, round(fraction * len(rows)))
    return rows[:cut], rows[cut:]


def standardization(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the training part, per feature; a constant feature keeps scale 1."""
    mean, scale = train.mean(axis=0), train.std(axis=0)
    return mean, np.where(scale > 0, scale, 1.0)


def input_scaling(samples: Samples, train: np.ndarray, standardize: bool):
    """What is subtracted from inputs and what they are divided by, or None where they stay as they are."""
    if samples.task == "language_modeling" or not standardize:
        return None
    if samples.divisor:
        return 0.0, samples.divisor
    return standardization(samples.inputs[train].astype(np.float64))


def contents(
    samples: Samples, train: np.ndarray, test: np.ndarray, standardize: bool
) -> dict[str, np.ndarray]:
    """The datasets of data.h5 by path."""
    inputs, targets = samples.inputs, samples.targets
    tokens, real = samples.task == "language_modeling", samples.task == "regression"
    data = {"split/train_index": train.astype(np.int64), "split/test_index": test.astype(np.int64)}
    scaling = input_scaling(samples, train, standardize)
    if scaling:
        inputs = (inputs - scaling[0]) / scaling[1]
        data |= {"split/input_mean": np.asarray(scaling[0]), "split/input_scale": np.asarray(scaling[1])}
    if real and standardize:
        mean, scale = standardization(targets[train].astype(np.float64))
        targets = (targets - mean) / scale
        data |= {"split/target_mean": np.asarray(mean), "split/target_scale": np.asarray(scale)}
    inputs = inputs.astype(np.int64 if tokens else np.float32)
    targets = targets.astype(np.float32 if real else np.int64)
    data |= {"inputs": inputs[train], "targets": targets[train]}
    if len(test):
        data |= {"test/inputs": inputs[test], "test/targets": targets[test]}
    return data


def parse():
    parser = Parser("prepare_data", ALGORITHM, "Write data.h5 from a named source.")
    source = "digits, wine, breast_cancer, iris, diabetes, python_topics, text:FILE, npz:FILE or hdf5:FILE"
    parser.add_argument("--source", required=True, help=source)
    parser.add_argument(
        "--samples", type=int, help="samples drawn, training and test together (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw and the split")
    parser.add_argument("--context", type=int, default=32, help="text: characters a sequence")
    parser.add_argument("--tokenizer", help="text: folder with a tokenizer.json that cuts it")
    parser.add_argument(
        "--max-length", type=int, help="with --tokenizer: tokens a sequence (default: --context)"
    )
    parser.add_argument("--split", type=float, default=0.8, help="fraction that forms the training part")
    parser.add_argument(
        "--task", choices=["classification", "regression"], help="default: by the targets' type"
    )
    parser.add_argument("--num-classes", type=int, help="default: the largest label plus one")
    parser.add_argument("--standardize", action=BooleanOptionalAction, default=True, help="scale real inputs")
    parser.add_argument("--out", required=True, type=Path, help="the data.h5 to write")
    options = parser.parse_args()
    for name, right in (("samples", 2), ("context", 1), ("max_length", 1), ("num_classes", 2), ("seed", 0)):
        if getattr(options, name) is not None and getattr(options, name) < right:
            raise InputError(f"--{name.replace('_', '-')}: {getattr(options, name)} is below {right}")
    if not 0 < options.split <= 1:
        raise InputError(f"--split: {options.split:g} is not in (0, 1]")
    if not options.out.parent.is_dir():
        raise InputError(f"--out: {options.out.parent}: no such folder")
    return options


def main():
    options = parse()
    samples = load(options.source, options.max_length or options.context, options.tokenizer)
    samples.task = options.task or samples.task
    classes = check(samples, options.source, options.num_classes)
    train, test = draw(len(samples.inputs), options.samples, options.split, options.seed)
    attributes = {
        "format": "ritzflow-data",
        "format_version": "1.0",
        "task": samples.task,
        "num_classes": np.int64(classes),
        "source": options.source,
        "seed": np.int64(options.seed),
        "split": np.float64(options.split),
    }
    if samples.vocabulary:
        attributes |= {"vocabulary": samples.vocabulary, "context": np.int64(options.context)}
    write(options.out, contents(samples, train, test, options.standardize), attributes)


if __name__ == "__main__":
    run(main)
