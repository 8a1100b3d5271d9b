"""Mean 0 and variance 1 over the training part, per feature; a constant feature keeps scale 1."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.samples import blocks

CONSTANT = 1e-13  # a deviation below this part of the mean is its rounding


class Scaling:
    """(x - mean) / scale, in float64."""

    def __init__(self, mean: ArrayLike, scale: ArrayLike) -> None:
        self.mean, self.scale = np.asarray(mean), np.asarray(scale)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return (block - self.mean) / self.scale


def standardization(
    values: np.ndarray, rows: np.ndarray | None, arranged: Callable[[np.ndarray], np.ndarray], where: str
) -> Scaling:
    """Of the chosen rows of `values`, each block brought into its final arrangement."""
    count = len(values) if rows is None else len(rows)
    if count < 2:
        raise InputError(f"{where}: one training sample cannot be standardized; use --no-standardize")

    def real_blocks() -> Iterator[np.ndarray]:
        for block in blocks(values, rows):
            yield arranged(block).astype(np.float64)

    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = moments(real_blocks, count)
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(deviation))):
        raise InputError(f"{where}: values are too large to be standardized in float64; scale them")
    varies = deviation > CONSTANT * np.abs(mean)
    return Scaling(mean, np.where(varies, deviation, 1.0))


def moments(real_blocks: Callable[[], Iterator[np.ndarray]], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation; what fits into one block is summed as numpy does it."""
    found = list(first_two(real_blocks()))
    if len(found) == 1:
        return found[0].mean(axis=0), found[0].std(axis=0)
    mean = sum(block.sum(axis=0) for block in real_blocks()) / count
    square = sum(np.square(block - mean).sum(axis=0) for block in real_blocks()) / count
    return mean, np.sqrt(square)


def first_two(iterator: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for _, block in zip(range(2), iterator):
        yield block
