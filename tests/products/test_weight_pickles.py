"""Pickled files of weights: no code of theirs runs, and what is no dictionary of weights is named."""

import argparse
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn
from trained_weights import require_refused, state, trained


class Exploit:
    """Runs a program where it is unpickled."""

    def __reduce__(self):
        return (subprocess.call, (["touch", "exploited"],))


class Lookup:
    """Looks a function up where it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("exploited"),))


WHOLE = (
    "a whole pickled module (",
    "Net); ",
    "weights_only=False); torch.save(module.state_dict(), 'weights.pt')",
)


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (trained, WHOLE),
        (lambda: {"model": trained(), "epoch": 3}, ["'model' is a whole pickled module"]),
        (lambda: [torch.ones(1)], ["holds list; expected module.state_dict()"]),
        (lambda: {"epoch": 3}, ["no tensors by name in it"]),
        (lambda: {"shadow_params": list(state().values())}, ["no tensors by name in it"]),
        (lambda: {"model": Exploit()}, ["no tensors by name in it"]),
        (lambda: {"model": Lookup()}, ["holds objects, dictionaries or lists of classes of its own"]),
    ],
)
def test_a_pickle_runs_no_code(content, messages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content(), tmp_path / "w.pt")
    require_refused(tmp_path / "w.pt", *messages)
    assert not (tmp_path / "exploited").exists()


def test_an_old_pickle_with_objects_names_their_class(tmp_path):
    content = {"model": state(), "args": argparse.Namespace(width=5)}
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    require_refused(tmp_path / "w.pt", "holds 'argparse.Namespace', which only running code can read")


def test_torchscript_and_damaged_files_are_named(tmp_path):
    torch.jit.save(torch.jit.trace(nn.Linear(4, 3), torch.ones(1, 4)), tmp_path / "script.pt")
    require_refused(tmp_path / "script.pt", "a TorchScript archive; save weights alone")
    torch.save(state(), tmp_path / "w.pt")
    whole = (tmp_path / "w.pt").read_bytes()
    for name, part in {
        "half.pt": whole[: len(whole) // 2],
        "empty.pt": b"",
        "text.pt": b"no weights",
        "protocol.pt": pickle.dumps(state()),
    }.items():
        (tmp_path / name).write_bytes(part)
        require_refused(tmp_path / name, "not a file of torch.save, in its own pickle protocol")
    require_refused(tmp_path / "nothing.pt", "no such file or folder")
