"""What can be seen of targets without knowing what they are for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ritzflow.data.sources.samples import Samples, blocks

MASKED = -100  # a target of no loss
DISTINCT = 1 << 20  # more different values than these are not listed


@dataclass
class Facts:
    kind: str  # numpy's letter: i, u, f, b or U
    shape: tuple[int, ...]  # of one sample's targets
    samples: int
    values: (
        np.ndarray | None
    )  # different values in ascending order without MASKED; None where there are too many
    masked: bool  # MASKED is among them
    rows_sum_to_one: bool  # of targets [N,C]

    @property
    def words(self) -> bool:
        return self.kind == "U"

    @property
    def whole(self) -> bool:
        if self.words or self.values is None:
            return False
        return self.kind in "iub" or bool(np.all(self.values == np.round(self.values)))

    @property
    def zero_one(self) -> bool:
        return not self.words and self.values is not None and set(self.values.tolist()) <= {0, 1}

    @property
    def rows(self) -> bool:
        """Targets [N,C] of several columns."""
        return len(self.shape) == 1 and self.shape[0] > 1

    @property
    def one_hot(self) -> bool:
        return self.rows and self.zero_one and self.rows_sum_to_one

    @property
    def shares(self) -> bool:
        """Probabilities of each class, one row per sample."""
        if not self.rows or self.kind != "f" or not self.rows_sum_to_one:
            return False
        return self.values is None or bool(self.values[0] >= 0)

    @property
    def one_a_sample(self) -> bool:
        return self.shape in ((), (1,))

    @property
    def few(self) -> np.ndarray:
        """The values, where it is known that they are not many."""
        assert self.values is not None
        return self.values

    @property
    def span(self) -> str:
        if self.values is None:
            return "many values"
        shown = [repr(str(v)) if self.words else f"{v:.10g}" for v in self.values.astype(object)]
        if self.words or len(shown) <= 2:
            return ", ".join(shown if len(shown) <= 4 else [*shown[:3], "...", shown[-1]])
        return f"{shown[0]}..{shown[-1]}"


def facts(samples: Samples) -> Facts:
    """Of the targets of all parts."""
    first = samples.train.targets
    values: np.ndarray | None = np.empty(0, first.dtype)
    sums = first.ndim == 2 and first.dtype.kind != "U"
    for block in target_blocks(samples):
        if values is not None:
            values = np.union1d(values, block)
            values = values if len(values) <= DISTINCT else None
        sums = sums and is_near_one(block.sum(axis=1, dtype=np.float64))
    masked = False
    if values is not None and values.dtype.kind in "if" and MASKED in values:
        masked, values = True, values[values != MASKED]
    shape = first.shape[1:]
    return Facts(first.dtype.kind, shape, sum(map(len, samples.parts)), values, masked, sums)


def target_blocks(samples: Samples) -> Iterator[np.ndarray]:
    for part in samples.parts:
        yield from blocks(part.targets)


def is_near_one(sums: np.ndarray) -> bool:
    return bool(np.all(np.abs(sums - 1) < 1e-5))
