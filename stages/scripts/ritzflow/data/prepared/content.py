"""The datasets of data.h5 by path, as streams of blocks."""

from argparse import Namespace
from collections.abc import Callable
from functools import partial

import numpy as np

from ritzflow.common.artifact_digest import Stream
from ritzflow.common.script_cli import InputError
from ritzflow.data.prepared.inputs import Input, shape_text, to_float32
from ritzflow.data.prepared.labels import Reading
from ritzflow.data.prepared.scaling import Scaling, standardization
from ritzflow.data.sources.samples import UNNAMED, Part, Samples, blocks


class Content:
    """Collects what is written for the samples, as their targets and inputs were understood."""

    def __init__(
        self,
        samples: Samples,
        reading: Reading,
        inputs: list[Input],
        rows: tuple[np.ndarray | None, np.ndarray | None],
        options: Namespace,
        where: str,
    ) -> None:
        self.samples, self.reading, self.inputs, self.where = samples, reading, inputs, where
        self.train_rows, self.test_rows = rows
        self.scalings = {i.name: self.input_scaling(i, options.standardize) for i in inputs}
        self.target_scaling = self.scaling_of_targets(options.standardize)
        self.data: dict[str, np.ndarray | Stream] = {}

    def input_scaling(self, input: Input, standardize: bool) -> Scaling | None:
        """None where the input stays as it is."""
        if input.tokens or self.samples.scaled or not standardize:
            return None
        if self.samples.divisor:
            return Scaling(0.0, self.samples.divisor)
        values = self.samples.train.inputs[input.name]
        return standardization(values, self.train_rows, input.arranged, self.where)

    def scaling_of_targets(self, standardize: bool) -> Scaling | None:
        if self.reading.task != "regression" or not standardize:
            return None
        return standardization(self.samples.train.targets, self.train_rows, lambda block: block, self.where)

    def datasets(self) -> dict[str, np.ndarray | Stream]:
        for name, rows in (("train", self.train_rows), ("test", self.test_rows)):
            if rows is not None:
                numbers = rows if self.samples.drawn is None else self.samples.drawn[rows]
                self.data[f"split/{name}_index"] = numbers.astype(np.int64)
        for input in self.inputs:
            self.keep_scaling("input", self.scalings[input.name], input.name)
        self.keep_scaling("target", self.target_scaling, UNNAMED)
        self.add("", self.samples.train, self.train_rows)
        if self.test_rows is not None and len(self.test_rows):
            self.add("test/", self.samples.train, self.test_rows)
        elif self.samples.test is not None:
            self.add("test/", self.samples.test, None)
        if self.reading.names:
            self.data["class_names"] = np.array(self.reading.names, dtype=object)
        for name, values in self.samples.train.shared.items():
            self.data[f"shared/{name}"] = self.shared(values)
        return self.data

    def shared(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind in "iub":
            return values.astype(np.int64)
        return to_float32(values, False, f"{self.where}: shared inputs")

    def keep_scaling(self, what: str, scaling: Scaling | None, name: str) -> None:
        if scaling is None:
            return
        tail = f"/{name}" if name else ""
        self.data |= {f"split/{what}_mean{tail}": scaling.mean, f"split/{what}_scale{tail}": scaling.scale}

    def add(self, prefix: str, part: Part, rows: np.ndarray | None) -> None:
        for input in self.inputs:
            path = f"{prefix}inputs/{input.name}".rstrip("/")
            self.data[path] = stream(part.inputs[input.name], rows, partial(self.input_block, input))
        self.data[f"{prefix}targets"] = stream(part.targets, rows, self.target_block)
        if part.weights is not None:
            self.data[f"{prefix}weights"] = stream(part.weights, rows, self.weight_block)
        if part.mask is not None:
            self.data[f"{prefix}mask"] = stream(part.mask, rows, self.mask_block)

    def input_block(self, input: Input, block: np.ndarray) -> np.ndarray:
        block, scaling = input.arranged(block), self.scalings[input.name]
        if input.tokens:
            return block.astype(np.int64)
        where = f"{self.where}: inputs {input.name}".rstrip()
        return to_float32(
            scaling(block) if scaling else block, block.dtype.kind in "iu" and not scaling, where
        )

    def target_block(self, block: np.ndarray) -> np.ndarray:
        if self.reading.task == "regression":
            real = self.target_scaling(block) if self.target_scaling else block
            return to_float32(
                real, block.dtype.kind in "iu" and not self.target_scaling, f"{self.where}: targets"
            )
        return self.reading.convert(block)

    def weight_block(self, block: np.ndarray) -> np.ndarray:
        """One a sample, or one a target."""
        weights = block.astype(np.float64)
        if weights.shape[1:] == (1,):
            weights = weights[:, 0]
        terms = self.samples.train.targets.shape[1:]
        if weights.shape[1:] not in ((), terms):
            raise InputError(f"{self.where}: weights are {shape_text(block)}, expected [N] or as targets")
        if weights.size and weights.min() < 0:
            raise InputError(f"{self.where}: weights hold {weights.min():g}, expected weights >= 0")
        return weights

    def mask_block(self, block: np.ndarray) -> np.ndarray:
        if np.any((block != 0) & (block != 1)):
            raise InputError(f"{self.where}: mask holds a value other than 0 and 1")
        return block.astype(np.uint8)


def stream(
    values: np.ndarray, rows: np.ndarray | None, convert: Callable[[np.ndarray], np.ndarray]
) -> Stream:
    """`convert` of each block of the rows; shape and type are those of the first block."""
    count = len(values) if rows is None else len(rows)
    sample = convert(np.asarray(values[:1] if rows is None else values[rows[:1]]))
    return Stream((count, *sample.shape[1:]), sample.dtype, lambda: map(convert, blocks(values, rows)))
