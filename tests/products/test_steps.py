"""One export for the weights of all seeds and steps: the bits of an export of each, right at every step."""

import sys

import export_products
import h5py
import pytest
import torch
from exports import Case, make_reference, run, write_data
from problems import dense, relative_error

from ritzflow.common.script_cli import InputError
from tests.models import own_models

CASE = Case("normalised", "classification", (4,), 3)
FLAGS = ["--module", "tests.models.own_models:normalised", "--micro-batch", "4", "--compile", "none"]
STEPS = (0, 10)


def save_weights(folder, seed, step):
    """Random ones, running statistics included."""
    torch.manual_seed(100 * seed + step)
    module = own_models.normalised()
    state = {n: torch.rand_like(t) + 0.1 for n, t in module.state_dict().items() if t.is_floating_point()}
    torch.save(state, folder / f"w{seed}-{step}.pt")
    module.load_state_dict(state, strict=False)
    return module.eval()


class Folder:
    """Weights of two seeds at two steps."""

    def __init__(self, path, monkeypatch, capsys):
        self.path, self.monkeypatch, self.capsys = path, monkeypatch, capsys
        self.data = write_data(CASE, path / "data.h5")
        self.modules = {(seed, step): save_weights(path, seed, step) for seed in (0, 1) for step in STEPS}

    def export(self, weights, out, packages, *more, flags=FLAGS):
        """What was said; the file's digest."""
        words = [
            *flags,
            "--weights",
            self.path / weights,
            "--data",
            self.path / "data.h5",
            "--out",
            self.path / out,
        ]
        words += ["--packages", self.path / packages, "--dtype-compute", "float64", "float32", *more]
        self.monkeypatch.setattr(sys, "argv", ["export_products.py", *map(str, words)])
        export_products.main()
        with h5py.File(self.path / out) as file:
            digest = file.attrs["content_sha256"]
        return self.capsys.readouterr().err, digest

    def errors(self, seed, step, model):
        """Of the operators at a step, against dense matrices of plain autograd."""
        reference = make_reference(self.modules[seed, step], CASE, self.data)
        (self.path / "model.h5").unlink(missing_ok=True)
        (self.path / "model.h5").symlink_to(self.path / model)
        for operator in ("hessian", "ggn"):
            found = dense(self.path, operator, "--dtype-compute", "float64", "--step", str(step))
            yield relative_error(found, getattr(reference, operator)())


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    return Folder(tmp_path, monkeypatch, capsys)


def test_seeds_and_steps_share_a_trace_and_have_the_bits_of_an_export_of_each(folder):
    first, _ = folder.export("w0-{step}.pt", "0.h5", "packages")
    assert first.count("traced in") == 2 and first.count("traced before") == 1  # a trace a type
    second, shared = folder.export("w1-{step}.pt", "1.h5", "packages")
    assert "traced in" not in second and second.count("verified in float64 against eager autograd") == 2
    alone, separate = folder.export("w1-{step}.pt", "alone.h5", "other")
    assert alone.count("traced in") == 2 and separate == shared


def test_operators_at_every_step_equal_their_dense_matrices(folder):
    folder.export("w0-{step}.pt", "0.h5", "packages")
    folder.export("w1-{step}.pt", "1.h5", "packages", "--steps", "0", "final")
    for seed, step in ((0, 0), (1, 10)):
        assert max(folder.errors(seed, step, f"{seed}.h5")) < 1e-10
    assert run("validate", folder.path / "0.h5").returncode == 0


def test_a_step_has_the_digest_that_it_has_in_a_file_of_its_own(folder):
    folder.export("w0-{step}.pt", "all.h5", "packages")
    folder.export("w0-{step}.pt", "one.h5", "packages", "--steps", "10")
    folder.export("w0-10.pt", "file.h5", "packages")
    names = {"all.h5": "00000010", "one.h5": "00000010", "file.h5": "00000000"}
    digests = set()
    for name, step in names.items():
        with h5py.File(folder.path / name) as file:
            digests.add(file[f"steps/{step}"].attrs["sha256"])
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--steps", "7"], "no file of step 7; there are those of 0, 10"),
        (["--steps", "x"], "--steps: 'x' is not a step"),
        (["--steps", "123456789"], "'123456789' is not a step; expected numbers of at most 8 digits"),
    ],
)
def test_steps_that_are_not_there_are_refused(folder, more, message):
    with pytest.raises(InputError, match=message):
        folder.export("w0-{step}.pt", "0.h5", "packages", *more)
    assert not (folder.path / "0.h5").exists()


def test_steps_of_a_single_file_are_refused(folder):
    with pytest.raises(InputError, match=r"--weights has no \{step\}"):
        folder.export("w0-0.pt", "0.h5", "packages", "--steps", "0")


MODULE = """
from pathlib import Path
from torch import nn


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 3), float(Path({place!r}).read_text())

    def forward(self, x):
        return (self.scale * self.layer(x)).tanh()


def scaled():
    return Scaled()
"""


def test_a_module_that_depends_on_more_than_its_weights_is_traced_anew(folder):
    """A number that the module reads from a file of its own, which no source and no shape shows."""
    place = folder.path / "scale.txt"
    (folder.path / "scaled_module.py").write_text(MODULE.format(place=str(place)))
    folder.monkeypatch.syspath_prepend(folder.path)
    flags = ["--module", "scaled_module:scaled", *FLAGS[2:]]
    state = torch.nn.Linear(4, 3).state_dict()
    torch.save({f"layer.{name}": t for name, t in state.items()}, folder.path / "linear.pt")
    digests = {}
    for scale, packages in (("1", "packages"), ("2", "packages"), ("2", "other")):
        place.write_text(scale)
        said, digests[scale, packages] = folder.export("linear.pt", "0.h5", packages, flags=flags)
        assert ("traced again" in said) == ((scale, packages) == ("2", "packages"))
    assert digests["2", "packages"] == digests["2", "other"] != digests["1", "packages"]


def test_a_damaged_trace_is_made_again(folder):
    _, right = folder.export("w0-0.pt", "0.h5", "packages")
    (trace,) = (folder.path / "packages" / "traces").glob("*.pt")
    trace.write_bytes(trace.read_bytes()[:-100])
    said, digest = folder.export("w0-0.pt", "0.h5", "packages")
    assert said.count("traced in") == 2 and digest == right


def test_a_flag_that_a_trace_depends_on_makes_another_one(folder):
    folder.export("w0-0.pt", "0.h5", "packages")
    said, _ = folder.export("w0-0.pt", "0.h5", "packages", "--products", "ggn")
    assert "traced in" in said
