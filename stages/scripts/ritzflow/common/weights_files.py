"""Weights of a module as files, or folders: {seed} and {step} in their path, and the steps that are there.

Only these two words in braces mean anything; `*` stands for any text, as in epoch=*-step={step}.ckpt.
"""

import glob
import re
from pathlib import Path
from typing import Any

from ritzflow.common.script_cli import InputError

STEP, FINAL, ALL = "{step}", "final", "all"
SHOWN = 12  # steps in a message


def key_of(architecture: dict[str, Any]) -> str:
    """Which key of a module says where its weights are."""
    return "hf" if "hf" in architecture else "weights"


def of_seed(text: str, seed: int) -> str:
    """A path, or a command, with the seed in it."""
    return text.replace("{seed}", str(seed))


def found(pattern: str) -> dict[int, Path]:
    """The files, or folders, that fit a path with {step}, by the number in the place of it, ascending."""
    literal = [glob.escape(part).replace("[*]", "*") for part in pattern.split(STEP)]
    expression = re.escape(pattern).replace(r"\*", "[^/]*").replace(re.escape(STEP), r"(\d+)", 1)
    name = re.compile(expression.replace(re.escape(STEP), r"\1"))
    files: dict[int, Path] = {}
    for path in sorted(glob.glob("*".join(literal))):
        if not (match := name.fullmatch(path)):
            continue
        step = int(match[1])
        if step in files:
            raise InputError(f"{pattern}: step {step} is both {files[step]} and {path}")
        files[step] = Path(path)
    return dict(sorted(files.items()))


def chosen(pattern: str, wanted: list[Any] | str) -> dict[int, Path]:
    """The files of the wanted steps (numbers, `final`; or `all`), ascending. Raises InputError."""
    files = found(pattern)
    if not files:
        raise InputError(f"{pattern}: no such file for any step")
    wanted = list(files) if wanted == ALL else [max(files) if step == FINAL else step for step in wanted]
    if missing := [step for step in wanted if step not in files]:
        listed = ", ".join(map(str, list(files)[:SHOWN])) + (" ..." if len(files) > SHOWN else "")
        raise InputError(f"{pattern}: no file of step {missing[0]}; there are those of {listed}")
    return {step: files[step] for step in sorted(set(wanted))}
