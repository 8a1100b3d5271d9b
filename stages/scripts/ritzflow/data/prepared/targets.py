"""What targets are: labels, several labels, shares of classes, values or tokens; refused if two of them."""

from argparse import Namespace

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.prepared.facts import MASKED, Facts, facts
from ritzflow.data.prepared.labels import Reading, as_integers, check_any, check_countable, class_labels
from ritzflow.data.sources.samples import UNNAMED, Samples, blocks

TASKS = ("classification", "multilabel", "regression", "language_modeling")


def read_targets(samples: Samples, options: Namespace, source: str) -> Reading:
    """Raises InputError for what no stage can train on."""
    where, seen = f"--source: {source}", facts(samples)
    check_any(seen, where)
    task = options.task or samples.task or guess(seen, samples, options, where)
    if seen.words and task != "classification":
        raise InputError(f"{where}: targets are words ({seen.span}), which are labels: --task classification")
    if task == "language_modeling":
        return next_tokens(samples, options.num_classes, seen, where)
    if task == "regression":
        return values(seen, where)
    if task == "multilabel":
        return several_labels(seen, where)
    return classification(seen, samples, options, where)


def guess(seen: Facts, samples: Samples, options: Namespace, where: str) -> str:
    """The task by the targets' type and shape. Raises InputError where they fit two."""
    if seen.words or (seen.kind == "b" and seen.one_a_sample):
        return "classification"
    tokens = tokens_of(samples)
    if seen.kind in "iu" and tokens is not None:
        return tokens_or_labels(samples, tokens, where)
    shape = shape_text(seen)
    if seen.one_hot:
        raise InputError(
            f"{where}: each row of targets {shape} is one 1 among zeros: --task classification takes "
            "its place as the label, --task multilabel each column as one, --task regression the numbers"
        )
    if seen.shares and (seen.values is None or seen.few[-1] <= 1):
        raise InputError(
            f"{where}: each row of targets {shape} adds up to 1: --task classification takes them as "
            "probabilities of the classes, --task regression as values"
        )
    if seen.rows and seen.zero_one:
        raise InputError(
            f"{where}: targets {shape} of 0 and 1: several labels a sample with --task multilabel, "
            "values with --task regression"
        )
    if seen.kind == "f":
        return real(seen, where)
    if seen.one_a_sample:
        return "classification"
    raise InputError(
        f"{where}: integer targets {shape}: labels with --task classification, values with "
        "--task regression; token targets [N,T] need integer inputs of the same shape"
    )


def tokens_or_labels(samples: Samples, tokens: np.ndarray, where: str) -> str:
    """Targets of the tokens' shape are next tokens where they follow them; else they may be labels."""
    check_not_repeated(samples, tokens, where)
    for x, y in zip(blocks(tokens), blocks(samples.train.targets)):
        if np.any((x[:, 1:] != y[:, :-1]) & (y[:, :-1] != MASKED)):
            raise InputError(
                f"{where}: integer targets of the shape of the tokens, but not the next ones: --task "
                "language_modeling for tokens of one vocabulary, --task classification for a label of each"
            )
    return "language_modeling"


def real(seen: Facts, where: str) -> str:
    """Real targets are values, unless they look like labels that were read as real numbers."""
    contiguous = seen.whole and seen.few[-1] - seen.few[0] + 1 == len(seen.few)
    signs = seen.whole and seen.few.tolist() == [-1, 1]
    if (contiguous or signs) and seen.one_a_sample and 2 * len(seen.few) <= seen.samples:
        raise InputError(
            f"{where}: targets are real numbers without a fraction, {seen.span}: "
            "labels with --task classification, values with --task regression"
        )
    return "regression"


def shape_text(seen: Facts) -> str:
    return f"[{', '.join(['N', *map(str, seen.shape)])}]"


def classification(seen: Facts, samples: Samples, options: Namespace, where: str) -> Reading:
    fits = options.num_classes in (None, *seen.shape)
    if seen.one_hot and fits:
        says = "one-hot targets taken as labels"
        return Reading(
            "classification", seen.shape[0], lambda block: block.argmax(axis=1).astype(np.int64), says
        )
    if seen.rows and seen.zero_one and fits:
        return several_labels(seen, where)
    if seen.shares:
        return Reading(
            "classification", seen.shape[0], as_float32, "soft targets (probabilities of the classes)"
        )
    reading = class_labels(seen, options, samples.classes, samples.class_order, where)
    reading.one_each = seen.rows and seen.zero_one
    if samples.class_names and len(samples.class_names) == reading.classes:
        reading.names = samples.class_names
    if seen.shape == (1,):
        inner = reading.convert
        reading.convert = lambda block: inner(block[:, 0])
    return reading


def several_labels(seen: Facts, where: str) -> Reading:
    """0 or 1 for each class."""
    if len(seen.shape) != 1:
        raise InputError(f"{where}: several labels a sample are targets [N,C], got {shape_text(seen)}")
    if not seen.zero_one or seen.masked:
        raise InputError(f"{where}: targets [N,C] of several labels must be 0 or 1, got {seen.span}")
    return Reading(
        "classification", seen.shape[0], as_integers, "several labels a sample, 0 or 1 for each class"
    )


def values(seen: Facts, where: str) -> Reading:
    if seen.masked and seen.kind in "iu":
        raise InputError(
            f"{where}: a target of {MASKED} is for labels and tokens; use --mask or --weights here"
        )
    outputs = int(np.prod(seen.shape))
    return Reading(
        "regression",
        outputs,
        as_float32,
        "one value a sample" if outputs == 1 else f"{outputs} values a sample",
    )


def as_float32(block: np.ndarray) -> np.ndarray:
    return block.astype(np.float32)


def tokens_of(samples: Samples) -> np.ndarray | None:
    """The integer inputs [N,T] whose next tokens the targets [N,T] may be."""
    inputs, targets = samples.train.inputs, samples.train.targets
    fits = {
        n: v for n, v in inputs.items() if v.dtype.kind in "iu" and v.shape == targets.shape and v.ndim == 2
    }
    if targets.ndim != 2 or targets.shape[1] < 2:
        return None
    return fits.get(UNNAMED, fits.get("input_ids"))


def next_tokens(samples: Samples, classes: int | None, seen: Facts, where: str) -> Reading:
    """Tokens share their vocabulary with the targets, which are the next ones, or MASKED."""
    tokens = tokens_of(samples)
    if tokens is None or seen.kind not in "iu":
        raise InputError(
            f"{where}: token targets [N,T] need integer inputs of the same shape; "
            "several labels a sample [N,C] are given with --task multilabel"
        )
    check_countable(seen, where)
    check_not_repeated(samples, tokens, where)
    low, high = int(seen.few[0]), int(seen.few[-1])
    for part in samples.parts:
        for block in blocks(part.inputs[UNNAMED if UNNAMED in part.inputs else "input_ids"]):
            low, high = min(low, int(block.min())), max(high, int(block.max()))
    known = samples.classes or (len(samples.vocabulary) if samples.vocabulary else None)
    classes = classes or known or high + 1
    if low < 0 or high >= classes:
        raise InputError(f"{where}: tokens {low}..{high} are out of range 0..{classes - 1}")
    return Reading("language_modeling", classes, as_integers, f"tokens {low}..{high} of {classes}")


def check_not_repeated(samples: Samples, tokens: np.ndarray, where: str) -> None:
    """Targets that repeat the inputs come from libraries that shift them; here they are the next tokens."""
    for x, y in zip(blocks(tokens), blocks(samples.train.targets)):
        if np.any((x != y) & (y != MASKED)):
            return
    raise InputError(
        f"{where}: targets repeat the inputs; they must be the next tokens: tokens[:, 1:] for tokens[:, :-1]"
    )
