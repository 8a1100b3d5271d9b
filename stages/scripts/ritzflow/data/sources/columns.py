"""Values of a table's column as numbers; words that are numbers count as such, an empty value is refused."""

from typing import Any

import numpy as np

from ritzflow.common.script_cli import InputError

BOOLEANS = {"true": True, "false": False}
LONGEST = 40  # characters of a number


def matrix(columns: list[list[Any]]) -> np.ndarray | None:
    """float64 [n, columns] where every value is a number, at once; None where some need a closer look."""
    try:
        if all(map(is_short, columns)):
            values = np.array(columns)
            return values.astype(np.float64).T if values.ndim == 2 and values.dtype.kind in "Uiuf" else None
    except (ValueError, OverflowError):
        pass
    return None


def is_short(values: list[Any]) -> bool:
    """Whether words are as short as numbers: an array has room for the longest in every place."""
    return max((len(value) for value in values if isinstance(value, str)), default=0) <= LONGEST


def numbers(values: list[Any], column: str, row: int, place: str) -> np.ndarray:
    """float64 [n], or, of a column of lists of one length, [n,...]. `row`: of the first value, from 1."""
    if values and isinstance(values[0], list):
        return lists(values, column, row, place)
    if all(isinstance(value, str) for value in values) and is_truth(values):
        return truths(values)
    for number, value in enumerate(values, row):
        if not is_real(value):
            raise InputError(f"{place}: column '{column}', row {number}: {described(value)}")
    return np.array([float(value) for value in values])


def lists(values: list[Any], column: str, row: int, place: str) -> np.ndarray:
    shapes = [np.shape(value) if is_rectangular(value) else None for value in values]
    for i, shape in enumerate(shapes):
        if shape is None or shape != shapes[0]:
            raise InputError(
                f"{place}: column '{column}', row {row + i}: no list of numbers as long as the first"
            )
    return np.array(values)


def is_rectangular(value: object) -> bool:
    try:
        return isinstance(value, list) and np.array(value).dtype.kind in "iufb"
    except ValueError:
        return False


def is_truth(values: list[str]) -> bool:
    return all(value.strip().lower() in BOOLEANS for value in values)


def truths(values: list[str]) -> np.ndarray:
    return np.array([BOOLEANS[value.strip().lower()] for value in values], dtype=np.float64)


def is_real(value: object) -> bool:
    """Whether one value is a number, or a word that reads as one."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float)


def described(value: object) -> str:
    if value is None or value == "":
        return "is empty; drop such rows or fill them in"
    shown = str(value) if len(str(value)) <= LONGEST else f"{str(value)[:LONGEST]}..."
    return f"'{shown}' is not a number; --inputs names the columns to take"


def targets(values: list[Any], column: str, place: str) -> np.ndarray:
    """A whole column: integers, booleans or real numbers where all values are such, else words."""
    for i, value in enumerate(values):
        if value is None or value == "" or isinstance(value, list | dict):
            what = "is empty" if value is None or value == "" else "is not a single value"
            raise InputError(f"{place}: column '{column}', row {i + 1}: {what}")
    if all(isinstance(value, str) for value in values):
        return read_words(values)
    if any(isinstance(value, str) for value in values):
        raise InputError(f"{place}: column '{column}' holds words and numbers")
    try:
        return np.array(values)
    except OverflowError:
        raise InputError(f"{place}: column '{column}' holds integers of 2^63 and more") from None


def read_words(values: list[str]) -> np.ndarray:
    if is_truth(values):
        return truths(values).astype(bool)
    for dtype in (np.int64, np.float64):
        try:
            return np.array(values).astype(dtype)
        except (ValueError, OverflowError):
            continue
    return np.array([value.strip() for value in values])
