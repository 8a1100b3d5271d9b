"""The seeded draw of samples; sources whose samples can be read one by one read no others."""

from argparse import Namespace

import numpy as np

from ritzflow.common.script_cli import InputError


def drawn(total: int, options: Namespace) -> np.ndarray:
    """Numbers of the samples in the order of the draw; all of them where none are asked for."""
    if options.samples is not None and options.samples > total:
        raise InputError(f"--samples: {options.samples} wanted, but the source has {total}")
    return np.random.default_rng(options.seed).permutation(total)[: options.samples]


def to_read(total: int, options: Namespace) -> np.ndarray | None:
    """The drawn samples alone, where some are drawn."""
    return None if options.samples is None else drawn(total, options)
