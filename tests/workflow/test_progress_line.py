"""Progress is a line on a terminal and nothing in a log."""

import io
import sys

import pytest

from ritzflow.common import progress_line


class Terminal(io.StringIO):
    def isatty(self):
        return True


def said(monkeypatch, stream, total) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_line, "INTERVAL", 0)
    with progress_line.Progress("images", total) as progress:
        progress(3)
        progress(6)
    return stream.getvalue()


@pytest.mark.parametrize(("total", "line"), [(6, "images: 3 of 6 ###############"), (None, "images: 3")])
def test_a_terminal_shows_how_far_it_is_and_is_left_clean(monkeypatch, total, line):
    text = said(monkeypatch, Terminal(), total)
    assert line in text and text.endswith("\r\033[K") and "\n" not in text


def test_a_log_stays_empty(monkeypatch):
    assert said(monkeypatch, io.StringIO(), 6) == ""
