"""One line of progress on a terminal; nothing in a log."""

import sys
import time

INTERVAL = 0.2  # seconds


class Progress:
    """Counts up to `total`, or without an end where it is not known."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self.what, self.total = what, total
        self.shown = sys.stderr.isatty()
        self.last = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __call__(self, count: int) -> None:
        if not self.shown or time.monotonic() - self.last < INTERVAL:
            return
        self.last = time.monotonic()
        end = f" of {self.total} {'#' * (30 * count // self.total):30}" if self.total else ""
        print(f"\r\033[K{self.what}: {count}{end}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
