"""dataset:PACKAGE.MODULE:FUNCTION, a data set that a function of the user's returns or yields.

Arrays (x, y), a Dataset, a DataLoader, a data set of Hugging Face, or a generator of samples (x, y) or of
batches. Samples may be dictionaries, whose names the inputs keep. {"train": ..., "test": ...} are two parts.
"""

import importlib
import random
import sys
import traceback
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.items import Items
from ritzflow.data.sources.samples import Samples
from ritzflow.data.sources.staging import Staging


def read_function(name: str, options: Namespace, staging: Staging) -> Samples:
    place = f"--source: dataset:{name}"
    function = found(name, place)
    seeded(options.seed)
    with own_code(place):
        returned = function()
        parts = own_parts(returned)
        train, *tests = [Items(part, options, staging, place) for part in parts]
        rows, names = train.draw(), class_names(parts[0])
        return Samples(
            train.part(),
            tests[0].part() if tests else None,
            rows,
            class_names=names,
            classes=len(names) if names else None,
        )


def class_names(source: Any) -> list[str] | None:
    """Names of the classes as the data sets of torchvision have them, also below a loader or a subset."""
    while hasattr(source, "dataset"):
        source = source.dataset
    names: Any = getattr(source, "classes", None)
    named = isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names)
    return list(names) if named else None


def own_parts(returned: Any) -> list[Any]:
    """The training part and, where the function returns one beside it, the test part."""
    if not isinstance(returned, dict) or "train" not in returned:
        return [returned]
    test = next((returned[name] for name in ("test", "validation", "val") if name in returned), None)
    return [returned["train"]] if test is None else [returned["train"], test]


def found(name: str, place: str) -> Any:
    module, _, function = name.partition(":")
    if not (module and function):
        raise InputError(f"{place}: expected dataset:PACKAGE.MODULE:FUNCTION")
    sys.path.insert(0, str(Path.cwd()))
    with own_code(place):
        try:
            own = importlib.import_module(module)
            made_with.note_own_modules()
            return getattr(own, function)
        except ModuleNotFoundError as error:
            raise InputError(f"{place}: no module '{error.name}' in this folder or environment") from None
        except AttributeError:
            raise InputError(f"{place}: {module} has no '{function}'") from None


def seeded(seed: int) -> None:
    """Same arguments, same bytes: whatever the function draws."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@contextmanager
def own_code(place: str) -> Iterator[None]:
    """An error in the user's code is one line with its place."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        here = str(Path.cwd())
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(here)]
        at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        line = str(error).splitlines()[0] if str(error) else ""
        raise InputError(f"{place}: {type(error).__name__}: {line}{at}") from None
