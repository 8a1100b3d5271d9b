"""Which rows are the training part, where curvature is taken, and which the test part."""

from argparse import Namespace

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.drawn import drawn
from ritzflow.data.sources.samples import Samples

USUAL = 0.8
NONE = "none"


def fraction(samples: Samples, options: Namespace) -> float | None:
    """The share that forms the training part; None where the source's own parts are kept."""
    if options.split == NONE:
        return None
    if options.split is None:
        return None if samples.test else USUAL
    if samples.test:
        raise InputError(
            f"--split: {options.split:g}, but the source has a test part of its own; --split none keeps it"
        )
    return options.split


def draw(samples: Samples, options: Namespace) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Rows of samples.train for both parts; None where the parts are the source's own."""
    share, read = fraction(samples, options), samples.drawn
    if share is None and options.samples is None:
        return None, None
    rows = drawn(len(samples.train), options) if read is None else np.arange(len(read))
    if share is None:
        return (np.sort(rows) if read is None else np.argsort(read)), None
    cut = max(1, round(share * len(rows)))
    return rows[:cut], rows[cut:]
