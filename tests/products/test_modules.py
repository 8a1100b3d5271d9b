"""Modules as they are handed out: in training mode, wrapped, frozen in part, in half precision."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import export_products
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exports import ROOT
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export import summary
from ritzflow.export.exporter import Exporter
from ritzflow.export.module import data, evaluation, modules

RANDOM = np.random.default_rng(0)
LABELS = np.array([0, 2, 1])
SAMPLES = data.Samples(RANDOM.standard_normal((3, 4)).astype("f4"), LABELS, None, "classification", 3)


class StochasticDepth(nn.Module):
    """A layer of a library's own that asks whether it is in training, in a function that forward calls."""

    def drop(self, x):
        return x * torch.rand(()) if self.training else x

    def forward(self, x):
        return self.drop(x)


def net(*between, width=5):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), *between, nn.Linear(width, 3))


MODES = {
    "dropout": (lambda: net(nn.Dropout(0.5), nn.Dropout(0.1)), "2 Dropout"),
    "batch norm": (lambda: net(nn.BatchNorm1d(5), nn.Dropout(0.5)), "1 BatchNorm1d, 1 Dropout"),
    "of a library": (lambda: net(StochasticDepth()), "1 StochasticDepth"),
    "recurrent": (lambda: nn.LSTM(4, 3, num_layers=2, dropout=0.5), "1 LSTM"),
    "attention": (lambda: nn.MultiheadAttention(4, 2, dropout=0.5), "1 MultiheadAttention"),
}
SAME = {
    "nothing": lambda: net(nn.Tanh(), nn.GroupNorm(1, 5)),
    "no dropout": lambda: net(nn.Dropout(0.0)),
    "recurrent": lambda: nn.LSTM(4, 3),
    "attention": lambda: nn.MultiheadAttention(4, 2),
    "evaluation mode": lambda: net(nn.Dropout(0.5), nn.BatchNorm1d(5)).eval(),
}


@pytest.mark.parametrize("name", MODES)
def test_a_module_in_training_mode_is_taken_in_evaluation_mode_and_said_to_be(name):
    make, layers = MODES[name]
    module = make()
    line = evaluation.evaluation_mode(module)
    assert line == f"taken in evaluation mode, where these differ from training: {layers}"
    assert not any(layer.training for layer in module.modules())


@pytest.mark.parametrize("name", SAME)
def test_a_module_in_which_nothing_differs_says_nothing(name):
    module = SAME[name]()
    assert evaluation.evaluation_mode(module) == ""
    assert not module.training


def exporter(model, samples=SAMPLES, micro_batch=3):
    return Exporter(
        model,
        samples,
        SimpleNamespace(
            loss="cross_entropy",
            micro_batch=micro_batch,
            compile="none",
            products=["ggn", "hessian"],
            verify="float64",
            class_axis=None,
            whole_batch=False,
        ),
    )


def test_a_module_in_training_mode_has_the_products_of_evaluation_mode():
    torch.manual_seed(1)
    module = net(nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Tanh())
    module[1].running_mean.uniform_(-1, 1)
    right = modules.Model(net(nn.BatchNorm1d(5), nn.Tanh()).eval(), "mine:net")
    right.module[1].running_mean.copy_(module[1].running_mean)
    evaluation.evaluation_mode(module)
    found, expected = (exporter(model).verified() for model in (modules.Model(module, "mine:net"), right))
    assert found == expected


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


class Recomputed(nn.Module):
    """A part that is computed anew in the backward pass, which saves memory."""

    def __init__(self, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.part, self.head, self.reentrant = net(nn.Tanh()), nn.Linear(3, 3), reentrant

    def forward(self, x):
        return self.head(checkpoint(self.part, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_changes_no_product(reentrant):
    model = modules.Model(Recomputed(reentrant), "mine:recomputed")
    plain = nn.Sequential(*model.module.part, model.module.head)
    found, right = (exporter(m).verified() for m in (model, modules.Model(plain, "mine:plain")))
    assert found == right


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(1, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x[..., None], torch.tensor([4, 3, 2]), batch_first=True)
        return self.head(self.layer(packed)[1][-1])


def test_packed_sequences_are_refused_by_name():
    with pytest.raises(Refusal, match="pack_padded_sequence depends on the lengths in the data"):
        exporter(modules.Model(Packed(), "mine:packed")).summary()


class Words(nn.Module):
    """Tokens with a padding index, which the data have, too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(4, 5, padding_idx=0), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.words(x)).sum(1))


def test_the_row_of_a_padding_index_is_a_constant():
    tokens = data.Samples(np.array([[1, 0, 2], [3, 1, 0], [2, 2, 0]]), LABELS, None, "classification", 3)
    model = modules.Model(Words(), "mine:words")
    made = exporter(model, samples=tokens)
    made.verified()
    _, _, runner = made.split(torch.float64)
    z, *_ = runner.run("primal")
    (row,) = (
        g for name, g in zip(model.parameters, runner.run("vjp", w=torch.ones_like(z))) if "words" in name
    )
    assert row[0].eq(0).all() and row[1:].ne(0).all()


class Wrapped(nn.Module):
    """What `change` makes of the logits of three tokens."""

    def __init__(self, change):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head, self.change = nn.Embedding(4, 5), nn.Linear(5, 4), change

    def forward(self, tokens, targets=None):
        return self.change(self.head(self.words(tokens)))


TEXT = data.Samples(
    np.array([[1, 0, 2], [3, 1, 0]]), np.array([[0, 2, 1], [1, 0, 3]]), None, "language_modeling", 4
)
OUTPUTS = {
    "one position": (lambda z: (z[:, -1:], None), "nanoGPT's does without targets: wrap it: --module names"),
    "no logits": (
        lambda z: {"features": z, "pooled": z},
        "the module returns features, pooled, but no logits; wrap",
    ),
    "loss first": (lambda z: (z.sum(), z), "logits have shape [], but the data need [2, 3, 4]"),
    "nothing": (lambda z: None, "the module returns NoneType where its logits should be; wrap it"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_without_the_logits_of_every_token_says_what_to_do(name):
    change, text = OUTPUTS[name]
    with pytest.raises((InputError, Refusal)) as refusal:
        exporter(modules.Model(Wrapped(change), "mine:gpt"), samples=TEXT, micro_batch=2).summary()
    assert text in str(refusal.value)


@pytest.mark.parametrize(
    "change", [lambda z: (z, None), lambda z: [z, z.sum()], lambda z: {"logits": z, "h": z}]
)
def test_the_logits_are_the_first_of_several_outputs_or_named_so(change):
    made = exporter(modules.Model(Wrapped(change), "mine:gpt"), samples=TEXT, micro_batch=2)
    assert (
        made.summary()
        == exporter(modules.Model(Wrapped(lambda z: z), "x"), samples=TEXT, micro_batch=2).summary()
    )


class Adapted(nn.Module):
    """A frozen, tied table with a trainable low-rank part, a whole number as a parameter, and a buffer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.base, self.again = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.again.weight = self.base.weight
        self.base.weight.requires_grad_(False)
        self.a, self.b = nn.Linear(4, 2, bias=False), nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.tensor(2), requires_grad=False)
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x):
        return self.b(self.a(self.again(torch.tanh(self.base(x + self.shift))))) * self.scale


def test_trainable_parameters_alone_are_varied_on_request():
    model = modules.Model(Adapted(), "mine:adapted")
    line = model.choose_variables(trainable=True)
    assert line == "1 of 5 parameters are frozen (requires_grad=False) and taken as constants"
    assert list(model.parameters) == ["a.weight", "b.weight", "b.bias"]
    assert model.buffers.keys() == {"base.weight", "scale", "shift"}
    made = exporter(model)
    made.verified()
    slots = made.traces[torch.float64].inputs
    assert {"buffer:base.weight", "buffer:scale", "theta:a.weight"} <= slots.keys()
    assert "theta:base.weight" not in slots


def test_all_parameters_count_by_default_and_frozen_ones_are_said_to():
    model = modules.Model(Adapted(), "mine:adapted")
    line = model.choose_variables(trainable=False)
    assert line.endswith(
        "are frozen (requires_grad=False) and count all the same; --trainable takes them as constants"
    )
    assert list(model.parameters) == ["base.weight", "a.weight", "b.weight", "b.bias"]
    assert modules.Model(net(nn.Tanh()), "mine:net").choose_variables(trainable=False) == ""


def test_a_module_without_trainable_parameters_is_refused():
    module = net(nn.Tanh()).requires_grad_(False)
    with pytest.raises(Refusal, match=r"no parameters with requires_grad \(--trainable\)"):
        modules.Model(module, "mine:net").choose_variables(trainable=True)
    with pytest.raises(Refusal, match="mine:tanh: no parameters, over which"):
        modules.Model(nn.Tanh(), "mine:tanh").choose_variables(trainable=False)


def test_the_summary_is_the_weighted_mean_loss_and_the_part_of_right_answers():
    inputs, labels = RANDOM.standard_normal((7, 4)).astype("f4"), np.array([0, 2, 1, -100, 2, 2, 0])
    weights = RANDOM.uniform(0.5, 2, 7)
    samples = data.Samples(inputs, labels, None, "classification", 3, weights=weights)
    model = modules.Model(net(nn.Tanh()), "mine:net")
    z, y = model.module(torch.from_numpy(inputs)).detach().double(), torch.from_numpy(labels)
    w = torch.from_numpy(weights) * (y != -100)
    loss = (F.cross_entropy(z, y, reduction="none") * w).sum() / w.sum()
    accuracy = (z.argmax(1) == y).sum() / 6
    text = f"on 7 samples: loss {loss:.4g}, accuracy {accuracy:.4g}"
    assert summary.summary(model, samples, "cross_entropy", batch=3) == text


@pytest.mark.parametrize(("last", "loss"), [(nn.Softmax(1), "cross_entropy"), (nn.Sigmoid(), "bce")])
def test_the_summary_says_where_probabilities_are_taken_for_logits(last, loss):
    x, y = torch.randn(7, 4), np.arange(7) % 3 if loss == "cross_entropy" else np.eye(3)[np.arange(7) % 3]
    samples = data.Samples(x.numpy(), y, None, "classification", 3)
    for layers, said in (((nn.Linear(4, 3), last), True), ((nn.Linear(4, 3),), False)):
        model = modules.Model(nn.Sequential(*layers), "mine:net")
        assert (
            f"probabilities, which {loss} takes for logits" in summary.summary(model, samples, loss, 7)
        ) == said


def test_the_summary_of_a_regression_has_its_loss_alone():
    inputs, targets = (RANDOM.standard_normal((7, n)).astype("f4") for n in (4, 3))
    model = modules.Model(net(nn.Tanh()).double(), "mine:net")
    z = model.module(torch.from_numpy(inputs).double()).detach()
    loss = 0.5 * ((z - torch.from_numpy(targets)) ** 2).sum(1).mean()
    samples = data.Samples(inputs, targets, None, "regression", 3)
    assert summary.summary(model, samples, "mse", batch=7) == f"on 7 samples: loss {loss:.4g}"


def test_the_summary_of_several_labels_counts_each(monkeypatch):
    inputs, labels = RANDOM.standard_normal((4, 4)).astype("f4"), RANDOM.integers(0, 2, (4, 3)).astype("f8")
    model = modules.Model(net(nn.Tanh()).double(), "mine:net")
    z, y = model.module(torch.from_numpy(inputs).double()).detach(), torch.from_numpy(labels)
    loss = F.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1).mean()
    accuracy = ((z > 0) == (y > 0)).double().mean()
    samples = data.Samples(inputs, labels, None, "classification", 3)
    text = f"on 4 samples: loss {loss:.4g}, accuracy {accuracy:.4g}"
    assert summary.summary(model, samples, "bce", batch=3) == text
    monkeypatch.setattr(summary.time, "monotonic", iter([0, 0, 61]).__next__)
    assert summary.summary(model, samples, "bce", batch=3).startswith("on the first 3 of 4 samples: loss ")


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
