"""Which rows are the training part, where curvature is taken, and which the test part."""

import numpy as np
from data_sources.samples import Samples
from script_cli import InputError

USUAL = 0.8
NONE = "none"


def fraction(samples: Samples, options) -> float | None:
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


def draw(samples: Samples, options) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Rows of samples.train for both parts; None where the parts are the source's own."""
    total, wanted, share = len(samples.train), options.samples, fraction(samples, options)
    if wanted is not None and wanted > total:
        raise InputError(f"--samples: {wanted} wanted, but the source has {total}")
    if share is None and wanted is None:
        return None, None
    rows = np.random.default_rng(options.seed).permutation(total)[:wanted]
    if share is None:
        return np.sort(rows), None
    cut = max(1, round(share * len(rows)))
    return rows[:cut], rows[cut:]
