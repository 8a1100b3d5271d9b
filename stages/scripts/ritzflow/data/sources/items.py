"""Samples of a data set object, one after the other into files: pairs, dictionaries, or batches of them."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import numpy as np

from ritzflow.common.progress_line import Progress
from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.drawn import to_read
from ritzflow.data.sources.samples import Part
from ritzflow.data.sources.staging import Column, Staging

TARGETS = ("labels", "label", "targets", "target", "y")


class Items:
    def __init__(self, source: Any, options: Namespace, staging: Staging, place: str) -> None:
        self.source, self.options, self.staging, self.place = source, options, staging, place
        self.columns: dict[str, Column] = {}
        self.words: list[str] | None = None
        self.count = 0
        self.rows: np.ndarray | None = None  # the samples that are read, in this order

    def draw(self) -> np.ndarray | None:
        """Where samples can be had by number, reads those alone that are drawn."""
        if is_indexed(self.source) and not is_arrays(self.source) and not isinstance(self.source, dict):
            self.rows = to_read(len(self.source), self.options)
        return self.rows

    def part(self) -> Part:
        if is_arrays(self.source):
            self.add(self.named(self.source), batch=True)
        else:
            self.add_all()
        if not self.count:
            raise InputError(f"{self.place}: no sample in it")
        arrays = {name: column.array() for name, column in self.columns.items()}
        targets = np.array(self.words) if self.words is not None else arrays.pop("targets")
        return Part(
            {
                name.removeprefix("inputs").removeprefix("."): values
                for name, values in arrays.items()
                if is_input(name)
            },
            targets,
            arrays.get("weights"),
            arrays.get("mask"),
        )

    def add_all(self) -> None:
        batched = is_loader(self.source)
        count = total(self.source) if self.rows is None else len(self.rows)
        with Progress(self.place.removeprefix("--source: "), count) as progress:
            for item in items(self.source, self.rows, self.place):
                named = self.named(item)
                self.add(named, batch=batched or (not is_indexed(self.source) and looks_like_batch(named)))
                progress(self.count)

    def named(self, item: Any) -> dict[str, np.ndarray]:
        """`inputs` or several `inputs.<name>`, `targets`, `weights`, `mask`."""
        if isinstance(item, dict) or hasattr(item, "keys"):
            return self.of_dictionary({str(key): item[key] for key in list(item.keys())})
        if isinstance(item, list | tuple) and len(item) == 2:
            inputs, targets = item
            several = isinstance(inputs, dict)
            given = {f"inputs.{k}": v for k, v in inputs.items()} if several else {"inputs": inputs}
            return {name: self.array(name, value) for name, value in {**given, "targets": targets}.items()}
        what = f"{len(item)} values" if isinstance(item, list | tuple) else f"a {type(item).__name__}"
        raise InputError(
            f"{self.place}: a sample is {what}, expected a pair (inputs, targets), or a dictionary of more"
        )

    def of_dictionary(self, item: dict[str, Any]) -> dict[str, np.ndarray]:
        target = self.options.targets[0] if self.options.targets else self.target_of(item)
        roles = {target: "targets"}
        for role in ("weights", "mask"):
            name = getattr(self.options, role) or (role if role in item else None)
            roles |= {name: role} if name else {}
        names = self.options.inputs or [name for name in item if name not in roles]
        for name in (*names, *roles):
            if name not in item:
                raise InputError(f"{self.place}: samples have no '{name}'; they have {', '.join(item)}")
        roles |= {name: "inputs" if len(names) == 1 else f"inputs.{name}" for name in names}
        return {role: self.array(name, item[name]) for name, role in roles.items()}

    def target_of(self, item: dict[str, Any]) -> str:
        found = [name for name in TARGETS if name in item]
        if len(found) == 1:
            return found[0]
        raise InputError(
            f"{self.place}: samples have {', '.join(item)}; --targets NAME says which is the target"
        )

    def array(self, name: str, value: Any) -> np.ndarray:
        """Of a tensor, an array, a number or a word."""
        if type(value).__module__.startswith("PIL."):
            raise InputError(
                f"{self.place}: {name} is an image; give the data set a transform, such as ToTensor()"
            )
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value.float() if str(value.dtype) == "torch.bfloat16" else value
            return value.numpy()
        if isinstance(value, list | tuple) and any(map(is_array, value)):
            raise InputError(f"{self.place}: {name} are several arrays; give them names: a dictionary")
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.empty(0, object)
        if array.dtype.kind in ("iufbU" if name == "targets" else "iufb"):
            return array
        if array.dtype.kind == "U":
            raise InputError(
                f"{self.place}: {name} holds words ({array.ravel()[0]!s}); --inputs names what is taken"
            )
        what = f"a {type(value).__name__}, no array of numbers; --inputs names what is taken"
        raise InputError(f"{self.place}: sample {self.count}: {name} is {what}")

    def add(self, named: dict[str, np.ndarray], batch: bool) -> None:
        """Appends one sample or a batch of them."""
        blocks = {name: values if batch else values[None] for name, values in named.items()}
        rows = {name: len(values) if values.ndim else None for name, values in blocks.items()}
        if len(set(rows.values())) > 1:
            lengths = ", ".join(f"{name} {count}" for name, count in rows.items())
            raise InputError(f"{self.place}: a batch with different numbers of samples ({lengths})")
        if self.columns and {*self.columns, "targets"} != {*blocks, "targets"}:
            raise InputError(f"{self.place}: sample {self.count} has other names than the first")
        for name, block in blocks.items():
            self.append(name, block)
        self.count += len(block)

    def append(self, name: str, block: np.ndarray) -> None:
        if name == "targets" and block.dtype.kind == "U":
            self.words = self.words or []
            self.words.extend(block.ravel().tolist())
            return
        column = self.columns.setdefault(name, self.staging.column())
        try:
            column.append(block)
        except ValueError as error:
            hint = "; pad or resize in the function" if "shape" in str(error) else ""
            raise InputError(f"{self.place}: sample {self.count}: {name} {error}{hint}") from None


def is_input(name: str) -> bool:
    return name == "inputs" or name.startswith("inputs.")


def is_array(value: Any) -> bool:
    return len(getattr(value, "shape", ())) > 0


def is_arrays(source: Any) -> bool:
    """(x, y), or a dictionary, of whole arrays."""
    values = source.values() if isinstance(source, dict) else source if isinstance(source, tuple) else ()
    return len(values) > 1 and all(map(is_array, values))


def is_loader(source: Any) -> bool:
    """A DataLoader: what it yields are batches."""
    return getattr(source, "batch_size", None) is not None or hasattr(source, "batch_sampler")


def is_indexed(source: Any) -> bool:
    return hasattr(source, "__getitem__") and hasattr(source, "__len__") and not is_loader(source)


def looks_like_batch(named: dict[str, np.ndarray]) -> bool:
    """Of a generator: arrays with one first axis, of which one has a further axis."""
    axes = {values.shape[:1] for values in named.values()}
    return len(axes) == 1 and axes != {()} and max(values.ndim for values in named.values()) > 1


def items(source: Any, rows: np.ndarray | None, place: str) -> Iterator[Any]:
    if isinstance(source, dict):
        names = ", ".join(map(str, source))
        raise InputError(
            f"{place}: gives a dictionary ({names}), expected arrays by name or train and test parts"
        )
    if is_indexed(source):
        return (source[int(i)] for i in (range(len(source)) if rows is None else rows))
    if hasattr(source, "__iter__"):
        return iter(source)
    raise InputError(f"{place}: gives a {type(source).__name__}, expected a data set, arrays or a generator")


def total(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None
