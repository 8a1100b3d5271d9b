"""Modules as they are handed out: wrapped, in half precision, without plain parameters, broken."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import export_products
import pytest
import torch
from exports import ROOT
from small_modules import net
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module import modules


def loaded(make, **arguments):
    """A module by its function, as export_products takes it."""
    holder = SimpleNamespace(make=make)
    sys.modules["tests_of_modules"] = holder
    try:
        return modules.load_module("tests_of_modules:make", arguments)
    finally:
        del sys.modules["tests_of_modules"]


BROKEN = {
    "def net(:": "--module: broken_0: SyntaxError: invalid syntax (broken_0.py, line 1)",
    "x = 1\ny = x / 0": "--module: broken_1: ZeroDivisionError: division by zero (broken_1.py:2)",
    "def net():\n    assert 2 < 1, 'width'": "--module: broken_2:net: AssertionError: width (broken_2.py:2)",
    "def net(a):\n    return a": "--kwargs: broken_3:net: net() missing 1 required positional argument: 'a'",
}


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_what_the_users_code_raises_is_one_line_with_its_place(number, tmp_path, monkeypatch):
    source, message = list(BROKEN.items())[number]
    (tmp_path / f"broken_{number}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(InputError) as error:
        modules.load_module(f"broken_{number}:net", {})
    assert str(error.value) == message


def test_the_users_modules_may_have_the_names_of_our_rooms(tmp_path, monkeypatch):
    names = ("common", "data", "environment", "export", "modules", "places", "sweep", "tables", "weights")
    for name in names:
        (tmp_path / f"{name}.py").write_text("WIDTH = 3\n")
    lines = ["from torch import nn", *(f"from {name} import WIDTH" for name in names)]
    (tmp_path / "mine.py").write_text("\n".join([*lines, "def net(): return nn.Linear(WIDTH, 2)"]))
    call = [
        sys.executable,
        "-P",
        "-c",
        "import export_products as e; print(e.load_module('mine:net', {}).module)",
    ]
    path = {"PYTHONPATH": str(ROOT / "stages" / "scripts")}
    done = subprocess.run(call, cwd=tmp_path, env=path, capture_output=True, text=True)
    assert done.stdout.startswith("Linear(in_features=3"), done.stderr


def in_place(module):
    module.compile()
    return module


WRAPPED = {
    "compiled": lambda: torch.compile(net(nn.Tanh())),
    "compiled in place": lambda: in_place(net(nn.Tanh())),
    "parallel": lambda: nn.DataParallel(net(nn.Tanh())),
    "averaged": lambda: AveragedModel(net(nn.Tanh())),
    "all of them": lambda: AveragedModel(nn.DataParallel(torch.compile(net(nn.Tanh())))),
    "parts": lambda: nn.Sequential(*map(torch.compile, net(nn.Tanh()))),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_training_wraps_around_a_module_is_taken_off(name):
    model = loaded(WRAPPED[name])
    assert list(model.parameters) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    x = torch.ones(2, 4)
    assert type(model.module) is nn.Sequential and torch.equal(model.module(x), net(nn.Tanh())(x))


def quantised():
    with warnings.catch_warnings(action="ignore"):
        return torch.ao.quantization.quantize_dynamic(net(nn.Tanh()), {nn.Linear}, torch.qint8)


def scripted():
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.script(net(nn.Tanh()))


def without_values():
    with torch.device("meta"):
        return net(nn.Tanh())


def with_adjacency():
    made = net(nn.Tanh())
    made.register_buffer("adjacency", torch.eye(3).to_sparse())
    return made


class OwnTensor(torch.Tensor):
    pass


def own_tensors():
    module = net(nn.Tanh())
    module[0].weight = nn.Parameter(torch.ones(5, 4).as_subclass(OwnTensor))
    return module


REFUSED = {
    "lazy": (lambda: net(nn.LazyLinear(5)), "'1.weight' is of a lazy layer, without a shape"),
    "meta": (without_values, "'0.weight' is on the meta device, without values"),
    "quantised": (quantised, "layer '0' (Linear) is quantised: its weights have no curvature"),
    "TorchScript": (scripted, "the module is TorchScript, which is not traced again"),
    "complex": (lambda: net(nn.Linear(5, 5, dtype=torch.cfloat)), "'1.weight' is complex"),
    "sparse": (with_adjacency, "'adjacency' is sparse, which a package cannot hold: keep its indices"),
    "own tensors": (own_tensors, "'0.weight' is a OwnTensor, no plain tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_without_plain_parameters_is_refused_by_name(name):
    make, reason = REFUSED[name]
    with pytest.raises(Refusal) as refusal:
        loaded(make)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_module_in_half_precision_is_widened_and_said_to_be(dtype):
    model = modules.Model(net(nn.BatchNorm1d(5)).to(dtype), "mine:net")
    right = {name: t.float() for name, t in model.parameters.items()}
    assert model.widen() == f"mine:net: {str(dtype)[6:]} widened to float32"
    assert all(torch.equal(right[name], t) for name, t in model.parameters.items())
    assert model.widen() == "" and model.buffers["1.running_mean"].dtype == torch.float32


def test_a_module_of_several_types_is_taken_in_the_widest():
    module = net(nn.Tanh())
    module[2].double()
    assert modules.Model(module, "mine:net").widen() == "mine:net: float32 widened to float64"
    assert module[0].weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--hf", "x", "--prefix", "model."], "--weights-key, --prefix and --no-strict are for --weights"),
        (["--hf", "x", "--no-strict"], "--weights-key, --prefix and --no-strict are for --weights"),
        (["--module", "x:y"], "expected --module and --weights, or --hf FOLDER"),
    ],
)
def test_flags_of_weights_that_say_nothing_are_refused(flags, message, monkeypatch, tmp_path):
    files = ["--data", "d", "--out", str(tmp_path / "m.h5")]
    monkeypatch.setattr(sys, "argv", ["export_products", *flags, *files])
    with pytest.raises(InputError, match=message):
        export_products.parse()
