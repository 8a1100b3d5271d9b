"""Rows of csv:, jsonl: and parquet: files, some at a time, as a list of values for each column."""

import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ritzflow.common.script_cli import InputError

VALUES = 1 << 18  # of one chunk
Chunk = dict[str, list[Any]]


class Table:
    """Names of the columns, and chunks of their rows."""

    def __init__(self, path: Path, names: list[str], chunks: Iterator[Chunk]) -> None:
        self.path, self.names, self.chunks = path, names, chunks


def open_table(kind: str, path: Path) -> Table:
    """Raises InputError for anything else."""
    table = {"csv": open_csv, "jsonl": open_jsonl, "parquet": open_parquet}[kind](path)
    doubled = [name for name, count in Counter(table.names).items() if count > 1]
    if doubled:
        raise InputError(f"--source: {path}: two columns are called '{doubled[0]}'")
    return table


def rows_of(names: list[str]) -> int:
    return max(1, VALUES // len(names))


def open_csv(path: Path) -> Table:
    """A header line with names; comma, semicolon or tab between values."""
    lines = text_lines(path)
    first = next(lines, "")
    separator = "\t" if "\t" in first else "," if "," in first or ";" not in first else ";"
    rows = csv.reader(itertools.chain([first], lines), delimiter=separator)
    names = [name.strip() for name in next(rows, [])]
    if not any(names):
        raise InputError(f"--source: {path}: no data (an empty file)")
    if all(is_number(name) for name in names):
        raise InputError(
            f"--source: {path}: the first line holds numbers ({first.strip()}), expected names of columns"
        )
    return Table(path, names, csv_chunks(path, names, rows))


def text_lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise InputError(f"--source: {path}: not UTF-8 text ({error.reason}, byte {error.start})") from None


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def csv_chunks(path: Path, names: list[str], rows: Any) -> Iterator[Chunk]:
    filled = (row for row in checked(path, names, rows) if row)
    while chunk := list(itertools.islice(filled, rows_of(names))):
        yield dict(zip(names, map(list, zip(*chunk))))


def checked(path: Path, names: list[str], rows: Any) -> Iterator[list[str]]:
    """Every row has a value for each column."""
    try:
        for row in rows:
            if row and len(row) != len(names):
                line = f"{len(row)} values, but the header has {len(names)} names"
                raise InputError(f"--source: {path}: line {rows.line_num}: {line}")
            yield row
    except csv.Error as error:
        raise InputError(f"--source: {path}: line {rows.line_num}: {error}") from None


def open_jsonl(path: Path) -> Table:
    """An object a line, all with the same keys."""
    rows = json_rows(path)
    first = next(rows, None)
    if first is None:
        raise InputError(f"--source: {path}: no data (an empty file)")
    return Table(path, list(first), json_chunks(list(first), itertools.chain([first], rows)))


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    keys = None
    for number, line in enumerate(text_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise InputError(f"--source: {path}: line {number}: not a JSON object")
        keys = keys or row.keys()
        if row.keys() != keys:
            other = ", ".join(sorted(row.keys() ^ keys))
            raise InputError(f"--source: {path}: line {number}: other keys than the first line ({other})")
        yield row


def json_chunks(names: list[str], rows: Iterator[dict[str, Any]]) -> Iterator[Chunk]:
    while chunk := list(itertools.islice(rows, rows_of(names))):
        yield {name: [row[name] for row in chunk] for name in names}


def open_parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(
            "--source: parquet: needs `pip install pyarrow` in the environment of this script"
        ) from None
    try:
        file = ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise InputError(
            f"--source: {path}: not a readable Parquet file ({str(error).splitlines()[0]})"
        ) from None
    names = file.schema_arrow.names
    return Table(path, names, (batch.to_pydict() for batch in file.iter_batches(rows_of(names))))
