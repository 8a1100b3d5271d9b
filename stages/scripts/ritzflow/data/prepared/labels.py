"""Class labels: which numbers 0..C-1 they become, and where nobody but the user can know."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.prepared.facts import DISTINCT, MASKED, Facts

RENUMBER = "--labels renumber makes the values that occur 0, 1, ... in ascending order"


@dataclass
class Reading:
    """What targets are: `convert` takes a block of the source's targets to those of data.h5."""

    task: str
    classes: int  # of outputs, for a regression
    convert: Callable[[np.ndarray], np.ndarray]
    says: str
    names: list[str] | None = None  # of the classes, where they are words
    one_each: bool = False  # 0 and 1, [N,T], that are a label each, though they look like several of a sample


def class_labels(
    facts: Facts, options: Namespace, known: int | None, order: list[str] | None, where: str
) -> Reading:
    """Labels of one class each. Raises InputError for anything else and for what could be either."""
    check_whole(facts, where)
    classes = options.num_classes or known
    if order and facts.words and set(facts.few) <= set(order):
        return renumbered(facts, np.array(order), classes or len(order), where)
    if renumbers(facts, options.labels, classes, where):
        return renumbered(facts, facts.few, classes or len(facts.few), where)
    if classes and not options.labels and facts.few[0] >= 1 and facts.few[-1] == classes:
        return renumbered(facts, np.arange(1, classes + 1), classes, where)
    classes = classes or int(facts.few[-1]) + 1
    check_range(facts, classes, where)
    return Reading(
        "classification", classes, as_integers, f"labels {facts.span}{empty_classes(facts, classes)}"
    )


def check_any(facts: Facts, where: str) -> None:
    if facts.values is not None and len(facts.values) == 0:
        raise InputError(f"{where}: every target is {MASKED}: none counts in the loss")


def check_countable(facts: Facts, where: str) -> None:
    if facts.values is None and facts.kind != "f":
        raise InputError(
            f"{where}: more than {DISTINCT} different labels; --task regression if they are values"
        )


def check_whole(facts: Facts, where: str) -> None:
    check_countable(facts, where)
    if not facts.words and not facts.whole:
        raise InputError(f"{where}: labels are not integers; use --task regression for real targets")


def renumbers(facts: Facts, asked: str | None, classes: int | None, where: str) -> bool:
    """Whether values become 0, 1, ... by their order; asks the user where that is not plain."""
    values = facts.few
    if asked == "as_is" and facts.words:
        raise InputError(f"--labels: as_is, but labels are words ({facts.span}); they are numbered")
    if asked:
        return asked == "renumber"
    if facts.words or facts.kind == "b":
        return True
    count, low, high = len(values), values[0], values[-1]
    if count == 1 and (classes or 1) < 2:
        raise InputError(
            f"{where}: every label is {low:g}: one class, nothing to tell apart; "
            "--num-classes C if there are others"
        )
    if count == 2 and (low, high) == (-1, 1) and classes in (None, 2):
        return True
    if classes:
        return False
    check_plausible(facts, where)
    return low == 1


def check_plausible(facts: Facts, where: str) -> None:
    """Without a number of classes: labels from 0 with few gaps, or from 1 with none."""
    count, low, high = len(facts.few), facts.few[0], facts.few[-1]
    many = f"{where}: labels {facts.span} take {count} values in {facts.samples} samples"
    if facts.one_a_sample and 2 * count > facts.samples:
        raise InputError(
            f"{many}: --num-classes {max(2, int(high) + 1)} if they are classes, "
            "--task regression if they are values"
        )
    if (low == 0 and high + 1 <= 2 * count) or (low == 1 and high == count):
        return
    keep = f"; --num-classes {int(high) + 1} keeps them and the classes without samples" if low >= 0 else ""
    raise InputError(f"{many}: {RENUMBER}{keep}")


def check_range(facts: Facts, classes: int, where: str) -> None:
    low, high = facts.few[0], facts.few[-1]
    if low >= 0 and high < classes:
        return
    raise InputError(
        f"{where}: labels {facts.span} are out of range 0..{classes - 1} "
        f"({MASKED} takes a target out of the loss; {RENUMBER})"
    )


def empty_classes(facts: Facts, classes: int) -> str:
    """Says which of few classes have no sample."""
    present = set(facts.few.astype(int).tolist())
    if len(present) == classes:
        return ""
    empty = [c for c in range(min(classes, 1000)) if c not in present]
    if classes > 1000 or len(empty) > 5:
        return f" ({classes - len(present)} classes without samples)"
    return f" (no sample of class {', '.join(map(str, empty))})"


def renumbered(facts: Facts, values: np.ndarray, classes: int, where: str) -> Reading:
    """`values` become 0, 1, ... in their order."""
    if len(values) > classes:
        raise InputError(
            f"{where}: {len(values)} different labels ({facts.span}), but --num-classes {classes}"
        )
    ranks = np.argsort(values, kind="stable")
    ordered = values[ranks]

    def convert(block: np.ndarray) -> np.ndarray:
        numbers = ranks[np.minimum(np.searchsorted(ordered, block), len(ordered) - 1)]
        return numbers if facts.words else np.where(block == MASKED, MASKED, numbers)

    if facts.words and classes < 2:
        raise InputError(f"{where}: every label is {facts.span}: one class, nothing to tell apart")
    names = [str(v) for v in values] if facts.words else None
    shown = ", ".join(map(repr, names)) if names and len(names) <= 4 else facts.span
    says = f"labels {shown} -> 0..{classes - 1}"
    return Reading("classification", classes, convert, says, names)


def as_integers(block: np.ndarray) -> np.ndarray:
    return block.astype(np.int64)
