"""csv:, jsonl: and parquet: files: columns are features, `targets` a column or several, a row a sample."""

from pathlib import Path

import numpy as np
from progress_line import Progress
from script_cli import InputError, nearest

from data_sources.columns import numbers, targets
from data_sources.samples import UNNAMED, Part, Samples
from data_sources.staging import Column, Staging
from data_sources.table_files import Table, open_table


def read_table(kind: str):
    """The reader of one kind of table."""

    def reader(path: Path, options, staging: Staging) -> Samples:
        table = open_table(kind, path)
        if options.text:
            from data_sources.tokenized import tokenized

            return tokenized(table, options, staging)
        return samples_of(table, options, staging)

    return reader


def samples_of(table: Table, options, staging: Staging) -> Samples:
    place = f"--source: {table.path}"
    wanted = target_names(table, options)
    weights, mask = (optional(table, role, getattr(options, role)) for role in ("weights", "mask"))
    others = {*wanted, weights, mask, ""}  # a column without a name is the index that DataFrame.to_csv writes
    inputs = options.inputs or [name for name in table.names if name not in others]
    if len(set(inputs)) < len(inputs):
        raise InputError(f"--inputs: a name is there twice ({', '.join(inputs)})")
    for name in inputs:
        require(table, name, "inputs")
    if not inputs:
        raise InputError(f"{place}: no column beside the targets {', '.join(wanted)}")
    columns = {name: staging.column() for name in inputs}
    kept: dict[str, list] = {name: [] for name in (*wanted, weights, mask) if name}
    collect(table, columns, kept, place)
    found = [targets(kept[name], name, place) for name in wanted]
    part = Part(
        arranged({name: column.array() for name, column in columns.items()}),
        found[0] if len(wanted) == 1 else stacked(found, wanted, place),
        numbers(kept[weights], weights, 1, place) if weights else None,
        numbers(kept[mask], mask, 1, place) if mask else None,
    )
    return Samples(part, integers_are="real", notes=notes(table, inputs, others))


def collect(table: Table, columns: dict[str, Column], kept: dict[str, list], place: str) -> None:
    """Input columns go to files, the others stay."""
    with Progress(str(table.path)) as progress:
        row = 1
        for chunk in table.chunks:
            for name, column in columns.items():
                append(column, numbers(chunk[name], name, row, place), name, row, place)
            for name, values in kept.items():
                values.extend(chunk[name])
            row += len(next(iter(chunk.values())))
            progress(row - 1)
    if row == 1:
        raise InputError(f"{place}: no data (no row behind the names)")


def append(column: Column, block: np.ndarray, name: str, row: int, place: str) -> None:
    try:
        column.append(block)
    except ValueError as error:
        raise InputError(f"{place}: column '{name}', rows from {row}: {error}") from None


def arranged(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers are features of one input; lists are inputs of their own."""
    if all(values.ndim == 1 for values in columns.values()):
        return {UNNAMED: np.column_stack(list(columns.values()))}
    if len(columns) == 1:
        return {UNNAMED: next(iter(columns.values()))}
    return columns


def stacked(found: list[np.ndarray], wanted: list[str], place: str) -> np.ndarray:
    for name, values in zip(wanted, found):
        if values.dtype.kind == "U":
            raise InputError(f"{place}: column '{name}' holds words; several targets must be numbers")
    return np.column_stack(found)


def target_names(table: Table, options) -> list[str]:
    names = options.targets or (["targets"] if "targets" in table.names else None)
    if not names:
        columns = ", ".join(name for name in table.names if name)
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
    columns = ", ".join(table.names)
    raise InputError(
        f"--{role}: {table.path} has no column '{name}', but {columns}{nearest(name, table.names)}"
    )


def notes(table: Table, inputs: list[str], others: set) -> list[str]:
    shown = inputs if len(inputs) <= 8 else [*inputs[:7], f"... {inputs[-1]}"]
    unused = [
        name or "the column without a name" for name in table.names if name not in {*inputs, *others - {""}}
    ]
    said = [f"inputs are the columns {', '.join(shown)}"]
    return [*said, f"not used: {', '.join(unused)}"] if unused else said
