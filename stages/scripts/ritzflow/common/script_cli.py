"""What every script shares: the error type, one-line errors with exit status 2, `--version`."""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

T = TypeVar("T")
PROJECT_VERSION = "0.1.0"


class InputError(Exception):
    """The user's flag, file or data is wrong: one line that says what, where, and what would be right."""


class Refusal(Exception):
    """The input is well formed, but the program declines: one line that says why."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Gives each flag's default, where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as those of the stage binaries.

    `algorithm` is the script's declared algorithm version: it changes when the output for the same
    input does, and a change of it makes Snakemake run the script's rule again.
    """

    def __init__(self, prog: str, algorithm: int, description: str) -> None:
        super().__init__(prog=prog, description=description, formatter_class=HelpFormatter)
        line = f"{prog} {PROJECT_VERSION} (algorithm {algorithm})"
        self.add_argument("--version", action="version", version=line)

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def nearest(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the choice most like `word`, or an empty string."""
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def listed(names: list[str], most: int = 4) -> str:
    """The names, or the first ones and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def run(main: Callable[[], T]) -> T:
    """What `main` gives; ends with status 2 on bad input, 3 on a refusal, 1 on a failed read or write."""
    try:
        return main()
    except InputError as error:
        status, lines = 2, str(error).splitlines()
    except Refusal as error:
        status, lines = 3, str(error).splitlines()
    except OSError as error:
        status, lines = 1, [str(error)]
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    sys.exit(status)
