"""What inputs are: tokens, which keep their integers, or real numbers; where an image's channels are."""

from argparse import Namespace
from dataclasses import dataclass

import numpy as np

from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.samples import UNNAMED, Samples, blocks

CHANNELS = (1, 3, 4)
LARGEST_EXACT = 1 << 24  # float32 has every integer up to here


@dataclass
class Input:
    name: str
    tokens: bool  # integers that stay integers
    channels_last: bool

    def arranged(self, block: np.ndarray) -> np.ndarray:
        """At least [N,1]; images as [N,C,H,W]."""
        if block.ndim == 1:
            return block[:, None]
        return np.moveaxis(block, -1, 1) if self.channels_last else block


def read_inputs(samples: Samples, task: str, options: Namespace, source: str) -> list[Input]:
    where = f"--source: {source}"
    several = UNNAMED not in samples.train.inputs
    read = []
    for name, values in samples.train.inputs.items():
        tokens = are_tokens(samples, name, task, several, options, where)
        last = is_channels_last(name, values, options.layout, where)
        read.append(Input(name, tokens, last))
    check_parts(samples, where)
    return read


def are_tokens(samples: Samples, name: str, task: str, several: bool, options: Namespace, where: str) -> bool:
    """Whether integers stay integers: in a language model and among several inputs, or as the user says."""
    values = samples.train.inputs[name]
    asked = options.integer_inputs or samples.integers_are
    if values.dtype.kind not in "iu":
        if options.integer_inputs == "tokens" and not several:
            raise InputError(f"{where}: --integer-inputs tokens: inputs are {values.dtype}, no integers")
        return False
    if task == "language_modeling" and (several or name == UNNAMED):
        return True
    if asked:
        return asked == "tokens"
    if values.dtype == np.uint8 or values.ndim > 3 or lowest(values) < 0:
        return False
    if several:
        return True
    raise InputError(
        f"{where}: integer inputs {shape_text(values)}: --integer-inputs tokens keeps them (indices of "
        "embeddings), --integer-inputs real takes them as numbers"
    )


def lowest(values: np.ndarray) -> int:
    return min(int(block.min()) for block in blocks(values))


def shape_text(values: np.ndarray) -> str:
    return f"[{', '.join(['N', *map(str, values.shape[1:])])}]"


def is_channels_last(name: str, values: np.ndarray, layout: str | None, where: str) -> bool:
    """Images are [N,C,H,W] here, as in PyTorch. Raises InputError for those that look like [N,H,W,C]."""
    if values.ndim != 4:
        if layout and name == UNNAMED:
            raise InputError(
                f"--layout: {layout}, but inputs {shape_text(values)} are no images [N, ., ., .]"
            )
        return False
    if layout:
        return layout == "NHWC"
    if values.shape[3] in CHANNELS and values.shape[1] not in CHANNELS:
        raise InputError(
            f"{where}: inputs {name or ''}{shape_text(values)} look like height, width, channels: "
            f"--layout NHWC moves the channels to the front, --layout NCHW takes {values.shape[1]} channels"
        )
    return False


def check_parts(samples: Samples, where: str) -> None:
    """The test part is of the same kind as the training part."""
    if samples.test is None:
        return
    for (name, train), (_, test) in zip(samples.train.named(), samples.test.named()):
        if train.shape[1:] != test.shape[1:]:
            raise InputError(
                f"{where}: {name} are {shape_text(train)}, those of the test part {shape_text(test)}"
            )


def to_float32(values: np.ndarray, exact_integers: bool, where: str) -> np.ndarray:
    """Raises InputError for what float32 cannot hold."""
    if exact_integers and values.size and max(abs(int(values.min())), int(values.max())) > LARGEST_EXACT:
        raise InputError(
            f"{where}: integers above 2^24 are not exact in float32; scale them, or --standardize"
        )
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.all(np.isfinite(single)):
        raise InputError(
            f"{where}: values up to {np.abs(values).max():.3g} do not fit into float32; scale them"
        )
    return single
