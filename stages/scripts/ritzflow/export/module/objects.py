"""Objects of the user's own code by name."""

import importlib
import sys
from pathlib import Path
from typing import Any

from ritzflow.common import made_with
from ritzflow.common.script_cli import InputError, nearest
from ritzflow.export.module.places import line_of


def found_object(place: str, flag: str) -> Any:
    """What `package.module:function` names. Raises InputError that names the flag."""
    name, colon, attribute = place.partition(":")
    if not colon or not name or not attribute:
        raise InputError(f"{flag}: '{place}' is not of the form package.module:function")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        where = "searched from the current folder and PYTHONPATH"
        raise InputError(f"{flag}: {name}: {error}; {where}") from None
    except Exception as error:  # whatever the user's code raises
        line = "" if isinstance(error, SyntaxError) else line_of(error)  # which the error names itself
        raise InputError(f"{flag}: {name}: {first_line(error)}{line}") from None
    made_with.note_own_modules()
    if not hasattr(module, attribute):
        raise InputError(f"{flag}: {name} has no '{attribute}'{nearest(attribute, dir(module))}")
    return getattr(module, attribute)


def first_line(error: Exception) -> str:
    """`ValueError: width must be even`."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
