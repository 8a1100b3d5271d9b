"""What a source gives: arrays of a training part and perhaps of a test part, before any split or scaling.

An array is a numpy array or a numpy.memmap; large ones are read in blocks of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ritzflow.common.script_cli import InputError

BLOCK = 8 << 20  # numbers that are held at a time
UNNAMED = ""  # the key of an input that has no name


@dataclass
class Part:
    inputs: dict[str, np.ndarray]  # by name; the key is UNNAMED where there is one input without a name
    targets: np.ndarray
    weights: np.ndarray | None = None
    mask: np.ndarray | None = None
    shared: dict[str, np.ndarray] = field(default_factory=dict)  # inputs that all samples have in common

    def __len__(self) -> int:
        return len(self.targets)

    def named(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every array with its name for messages."""
        for name, values in self.inputs.items():
            yield f"inputs {name}".strip(), values
        yield "targets", self.targets
        if self.weights is not None:
            yield "weights", self.weights
        if self.mask is not None:
            yield "mask", self.mask


@dataclass
class Samples:
    train: Part  # all samples, where the source has no test part of its own
    test: Part | None = None
    drawn: np.ndarray | None = None  # numbers of the samples in `train`, where the others were not read
    task: str | None = None  # where the source knows it
    divisor: float | None = None  # inputs have a natural range: divide by it instead of standardising
    scaled: bool = False  # inputs have been brought into their usual range
    vocabulary: str | None = None
    classes: int | None = None  # where the source knows how many there are
    class_names: list[str] | None = None  # of targets that are numbered already
    class_order: list[str] | None = None  # of targets that are words, where the source has an order
    integers_are: str | None = None  # `tokens` or `real`: what integer inputs are, where the source knows
    notes: list[str] = field(default_factory=list)  # what else the user must know

    @property
    def parts(self) -> list[Part]:
        return [self.train] if self.test is None else [self.train, self.test]


def blocks(values: np.ndarray, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """`values`, or `rows` of it in that order, a block at a time: at least one, which may be empty."""
    total = len(values) if rows is None else len(rows)
    step = max(1, BLOCK // max(1, int(np.prod(values.shape[1:]))))
    for start in range(0, max(1, total), step):
        chosen = slice(start, start + step)
        yield np.asarray(values[chosen] if rows is None else values[rows[chosen]])


def check(part: Part, source: str) -> None:
    """Every array is made of numbers (targets may be words) and has as many rows. Raises InputError."""
    for name, values in part.named():
        words = name == "targets" and values.dtype.kind == "U"
        if values.ndim == 0 or not (values.dtype.kind in "iufb" or words):
            raise InputError(f"--source: {source}: {name}: not an array of numbers ({kind_of(values)})")
        if values.dtype.name == "uint64" and max(map(largest, blocks(values))) > np.iinfo(np.int64).max:
            raise InputError(f"--source: {source}: {name}: holds integers of 2^63 and more")
    for name, values in part.shared.items():
        if values.dtype.kind not in "iufb" or values.size == 0:
            raise InputError(
                f"--source: {source}: shared {name}: not an array of numbers ({kind_of(values)})"
            )
        check_finite(f"shared {name}", np.atleast_1d(values), source)
    for name, values in part.named():
        if len(values) != len(part):
            raise InputError(f"--source: {source}: {len(values)} {name} but {len(part)} targets")
        if values.size == 0:
            raise InputError(f"--source: {source}: no data ({name} {list(values.shape)})")
        check_finite(name, values, source)
    for name, counts in (("weights", part.weights), ("mask", part.mask)):
        if counts is not None and not any(block.any() for block in blocks(counts)):
            raise InputError(f"--source: {source}: every value of {name} is 0: no target counts in the loss")


def largest(block: np.ndarray) -> int:
    return int(block.max(initial=0))


def kind_of(values: np.ndarray) -> str:
    if values.dtype.kind == "O":
        return "Python objects, such as rows of different lengths"
    if values.dtype.kind == "S":
        return "bytes; words are saved with .astype(str)"
    return "a single number" if values.ndim == 0 else str(values.dtype)


def check_finite(name: str, values: np.ndarray, source: str) -> None:
    if values.dtype.kind != "f":
        return
    start = 0
    for block in blocks(values):
        bad = np.argwhere(~np.isfinite(block))
        if len(bad):
            place = (start + int(bad[0][0]), *map(int, bad[0][1:]))
            raise InputError(f"--source: {source}: {name} hold NaN or infinity, first at {place}")
        start += len(block)
