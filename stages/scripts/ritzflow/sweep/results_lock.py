"""One run at a time on a results folder: a lock that its process holds for life, with its name."""

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import IO

from ritzflow.common.script_cli import Refusal

NAME = ".lock"
_held: list[IO[str]] = []  # open files: the lock goes with the process, however it ends


def holder(results: Path) -> str | None:
    """Who else is at work on the folder, in words; None where nobody is."""
    if _held:
        return None
    try:
        with open(results / NAME) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            said = json.loads((results / NAME).read_text())
        except ValueError:  # it is being written
            return "a process that has just begun"
        return "process {pid} on {host} in {folder}, since {since}".format_map(said)
    except OSError:
        return None
    return None


def take(results: Path) -> None:
    """Holds the folder until this process ends. Raises Refusal where another one does, OSError where it is
    read-only."""
    results.mkdir(parents=True, exist_ok=True)
    file = open(results / NAME, "a+")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refusal(f"{results}: another run is at work there: {holder(results)}") from None
    file.truncate(0)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "folder": os.getcwd()}
    json.dump(who, file)
    file.flush()
    _held.append(file)
