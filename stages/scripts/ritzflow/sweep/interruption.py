"""SIGTERM ends a sweep after the jobs that run, at whatever moment it comes.

Snakemake's own handler waits for the scheduler's lock in the main thread. Where that thread holds the lock
just then (it sorts out a finished job, or chooses the next ones), it waits for itself, for ever. In a thread
of its own the handler waits until the lock is free.
"""

import _thread
import signal


def take_sigterm_in_a_thread() -> None:
    """Call it once the scheduler is there: in `onstart`."""
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        signal.signal(signal.SIGTERM, lambda *_: _thread.start_new_thread(handler, (signal.SIGTERM, None)))
