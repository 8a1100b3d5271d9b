"""csv:, jsonl: and parquet: files: columns are features, targets: one or several; one row per sample."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ritzflow.common.progress_line import Progress
from ritzflow.common.script_cli import InputError, nearest
from ritzflow.data.sources.columns import matrix, numbers, targets
from ritzflow.data.sources.samples import UNNAMED, Part, Samples
from ritzflow.data.sources.staging import Column, Staging
from ritzflow.data.sources.table_files import Chunk, Table, open_table


def read_table(kind: str) -> Callable[..., Any]:
    """The reader of one kind of table."""

    def reader(path: Path, options: Namespace, staging: Staging) -> Samples:
        table = open_table(kind, path)
        if options.text:
            from ritzflow.data.sources.tokenized import tokenized

            return tokenized(table, options, staging)
        return samples_of(table, options, staging)

    return reader


def samples_of(table: Table, options: Namespace, staging: Staging) -> Samples:
    place = f"--source: {table.path}"
    wanted = target_names(table, options)
    weights, mask = (optional(table, role, getattr(options, role)) for role in ("weights", "mask"))
    others = {*wanted, weights, mask, ""}  # a column without a name is the index that DataFrame.to_csv writes
    inputs = options.inputs or [name for name in table.names if name not in others]
    if len(set(inputs)) < len(inputs):
        raise InputError(f"--inputs: a name is there twice ({', '.join(inputs)})")
    for name in options.inputs or []:
        require(table, name, "inputs")
    if not inputs:
        raise InputError(f"{place}: no column beside the targets {', '.join(wanted)}")
    columns = Columns(inputs, staging, place)
    kept: dict[str, list[Any]] = {name: [] for name in (*wanted, weights, mask) if name}
    collect(table, columns, kept, place)
    found = [targets(kept[name], name, place) for name in wanted]
    part = Part(
        columns.arrays(),
        found[0] if len(wanted) == 1 else stacked(found, wanted, place),
        numbers(kept[weights], weights, 1, place) if weights else None,
        numbers(kept[mask], mask, 1, place) if mask else None,
    )
    return Samples(part, integers_are="real", notes=notes(table, inputs, others))


def collect(table: Table, columns: "Columns", kept: dict[str, list[Any]], place: str) -> None:
    """Input columns go to files, the others stay."""
    with Progress(str(table.path)) as progress:
        row = 1
        for chunk in table.chunks:
            columns.add(chunk, row)
            for name, values in kept.items():
                values.extend(chunk[name])
            row += len(next(iter(chunk.values())))
            progress(row - 1)
    if row == 1:
        raise InputError(f"{place}: no data (no row after the names)")


class Columns:
    """Columns of numbers are features of one input; where there are lists, each is an input of its own."""

    def __init__(self, names: list[str], staging: Staging, place: str) -> None:
        self.names, self.staging, self.place = names, staging, place
        self.files: dict[str, Column] = {}

    def add(self, chunk: Chunk, row: int) -> None:
        """Rows of a chunk, the first of which is number `row`."""
        whole = matrix([chunk[name] for name in self.names])
        blocks = {UNNAMED: whole} if whole is not None else self.one_by_one(chunk, row)
        for name, block in blocks.items():
            self.append(name, block, row)

    def one_by_one(self, chunk: Chunk, row: int) -> dict[str, np.ndarray]:
        blocks = {name: numbers(chunk[name], name, row, self.place) for name in self.names}
        if all(block.ndim == 1 for block in blocks.values()):
            return {UNNAMED: np.column_stack(list(blocks.values()))}
        return blocks if len(blocks) > 1 else {UNNAMED: next(iter(blocks.values()))}

    def append(self, name: str, block: np.ndarray, row: int) -> None:
        column = self.files.setdefault(name, self.staging.column())
        try:
            column.append(block)
        except ValueError as error:
            what = f"column '{name}', rows" if name else "rows"
            raise InputError(f"{self.place}: {what} from {row}: {error}") from None

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: column.array() for name, column in self.files.items()}


def stacked(found: list[np.ndarray], wanted: list[str], place: str) -> np.ndarray:
    for name, values in zip(wanted, found):
        if values.dtype.kind == "U":
            raise InputError(f"{place}: column '{name}' holds words; several targets must be numbers")
    return np.column_stack(found)


def target_names(table: Table, options: Namespace) -> list[str]:
    names = options.targets or (["targets"] if "targets" in table.names else None)
    if not names:
        columns = listed([name for name in table.names if name])
        raise InputError(
            f"--source: {table.path}: columns {columns}; --targets COLUMN says which is the target"
        )
    for name in names:
        require(table, name, "targets")
    return names


def optional(table: Table, role: str, chosen: str | None) -> str | None:
    if chosen:
        require(table, chosen, role)
        return chosen
    return role if role in table.names else None


def require(table: Table, name: str, role: str) -> None:
    if name in table.names:
        return
    columns = listed(table.names)
    raise InputError(
        f"--{role}: {table.path} has no column '{name}', but {columns}{nearest(name, table.names)}"
    )


def notes(table: Table, inputs: list[str], others: set[Any]) -> list[str]:
    used = {*inputs, *others - {""}}
    unused = [name or "the column without a name" for name in table.names if name not in used]
    said = [f"inputs are the columns {listed(inputs)}"]
    return [*said, f"not used: {listed(unused)}"] if unused else said


def listed(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 8 else [*names[:7], f"... {names[-1]}"])
