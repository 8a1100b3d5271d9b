"""What export_products.py accepts, refuses and verifies; in this process, without the stages."""

import json
import sys

import export_products
import pytest
import torch
import torch.nn.functional as F
from exports import own_models
from small_export import exporter, samples_of
from torch import nn

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module import modules
from ritzflow.export.package import package
from ritzflow.export.trace import trace, verify


@pytest.fixture
def samples():
    return samples_of(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))


class Layers(nn.Module):
    """4 -> 3 with something in between."""

    def __init__(self, between, width=5):
        super().__init__()
        self.first, self.between, self.last = nn.Linear(4, width), between, nn.Linear(width, 3)

    def forward(self, x):
        return self.last(self.between(self.first(x)))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x


REFUSED = {
    "functional dropout": (Function(lambda x: F.dropout(x, 0.5, training=True)), "draws random numbers"),
    "batch statistics": (
        nn.BatchNorm1d(5, track_running_stats=False),
        "'between' .* normalises by the batch",
    ),
    "a buffer that counts": (Counter(), "buffer 'between.calls' changes in a forward pass"),
    "a value taken out": (
        Function(lambda x: x * x.max().item()),
        r"layer 'between' \(Function\), test_export.py:\d+ \(`.item\(\)`\) takes a value out of the graph",
    ),
    "a shape that depends on values": (
        Function(lambda x: x + x[x > 0].sum()),
        r"aten.index.Tensor in layer 'between' \(Function\), test_export.py:\d+ gives a result whose shape",
    ),
    "control flow": (Function(lambda x: x if x.sum() > 0 else -x), r"s value, .*\(test_export.py:\d+\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_curvature_is_refused_with_its_reason(name, samples):
    between, reason = REFUSED[name]
    with pytest.raises(Refusal, match=reason):
        exporter(Layers(between), samples).verified()


def test_a_wrong_trace_is_refused(samples, monkeypatch):
    right = trace.gradients
    monkeypatch.setattr(trace, "gradients", lambda *a, **k: [1.0001 * g for g in right(*a, **k)])
    with pytest.raises(Refusal, match="the traced jvp differs from eager autograd"):
        exporter(Layers(nn.Tanh()), samples).verified()


@pytest.mark.parametrize("fault", [0, 1e-3])
def test_what_a_compiler_gets_wrong_is_refused_and_not_kept(fault, monkeypatch, tmp_path):
    """As in torch.trace's second derivative: a constant on every element (pytorch #190855)."""
    compiled = {}

    def compile_function(name, function, path):
        compiled[str(path)] = verify.graph_module(function), fault if name == "hvp_vjp" else 0
        path.touch()

    def load(path):
        graph, constant = compiled[path]
        return lambda *inputs: [t + constant for t in graph(*inputs)]

    monkeypatch.setattr(package, "compile_function", compile_function)
    monkeypatch.setattr(torch._inductor, "aoti_load_package", load)
    x = samples_of(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    made = exporter(own_models.resolvent(), x, compile="aoti", packages=tmp_path)
    check = made.verified()
    if fault:
        with pytest.raises(Refusal, match="mine:module in compiled float64: 'h' is off by"):
            made.write("float64", check)
        assert not list(tmp_path.iterdir())
    else:
        assert (tmp_path / made.write("float64", check)).is_dir()


def test_products_verified_in_float32_are_traced_and_held_in_float32_alone(samples, monkeypatch):
    made = exporter(Layers(nn.Tanh()), samples, verify="float32")
    assert set(made.verified()) == {"z", "u", "g", "h"}
    assert list(made.traces) == [torch.float32] and made.model.dtype == torch.float32
    right = trace.gradients
    monkeypatch.setattr(trace, "gradients", lambda *a, **k: [1.001 * g for g in right(*a, **k)])
    with pytest.raises(Refusal, match="the traced jvp differs from eager autograd"):
        exporter(Layers(nn.Tanh()), samples, verify="float32").verified()


def test_verification_in_float32_is_no_check_of_float64_products(monkeypatch, tmp_path):
    flags = ["--hf", "x", "--data", "d", "--out", tmp_path / "m.h5", "--verify", "float32"]
    monkeypatch.setattr(sys, "argv", ["export_products", *map(str, flags), "--dtype-compute", "float64"])
    with pytest.raises(InputError, match="--verify float32 is not a check of float64 products"):
        export_products.parse()


def test_logits_of_another_shape_are_refused(samples):
    with pytest.raises(InputError, match=r"logits have shape \[3, 2\], but the data need \[3, 3\]"):
        exporter(nn.Linear(4, 2), samples).verified()


def test_a_weight_that_is_used_transposed_beside_its_layer_has_no_factors(samples):
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared, self.aside, self.last = shared, nn.Linear(4, 4, bias=False), nn.Linear(4, 3)

        def forward(self, x):
            x = self.shared(torch.tanh(self.shared(x)))
            return self.last(torch.tanh(self.aside(x)) @ self.aside.weight)

    assert tapped(Net(), samples) == ["shared.weight", "last.weight"]


def tapped(module, samples):
    """The weights of a module that have Kronecker factors."""
    made = exporter(module, samples, products=["ggn", "kfac"])
    made.verified()
    return [made.traces[torch.float64].taps[i].weight.name for i in made.taps]


def test_rows_of_all_samples_have_factors_and_a_row_that_they_share_has_none(samples):
    torch.manual_seed(0)

    class Net(nn.Module):
        """The first layer sees pairs of features as rows, the second a row that all samples share."""

        def __init__(self):
            super().__init__()
            self.rows, self.shared, self.last = nn.Linear(2, 2), nn.Embedding(1, 4), nn.Linear(4, 3)

        def forward(self, x):
            x = torch.tanh(self.rows(x.reshape(-1, 2))).reshape(len(x), 4)
            return self.last(x + self.shared(torch.zeros(1, 1, dtype=torch.long))[0])

    assert tapped(Net(), samples) == ["rows.weight", "last.weight"]


def test_float64_products_are_taken_in_float64_where_a_module_casts_to_float32(samples):
    torch.manual_seed(0)
    module = Layers(Function(lambda x: F.softmax(x.to(torch.float32), -1, dtype=torch.float32).to(x.dtype)))
    made = exporter(module, samples)
    made.verified()
    assert not made.traces[torch.float64].computes_in(torch.float32)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("tests.models.own_models", "not of the form package.module:function"),
        ("tests.models.nothing:mlp", "searched from the current folder"),
        ("tests.models.own_models:mpl", "has no 'mpl'; did you mean 'mlp'"),
        ("json:dumps", "--kwargs: json:dumps"),
    ],
)
def test_a_module_that_cannot_be_made_is_named(place, message):
    with pytest.raises(InputError, match=message):
        modules.load_module(place, {})


def test_a_package_is_found_again_and_only_for_the_same_graph(samples, tmp_path):
    def key(width, **options):
        torch.manual_seed(width)
        made = exporter(Layers(nn.Tanh(), width), samples, packages=tmp_path, **options)
        return made.write("float64", made.verified())

    first, folders = key(5), len(list(tmp_path.iterdir()))
    assert key(5) == first and len(list(tmp_path.iterdir())) == folders == 1
    assert key(6) != first
    manifest = json.loads((tmp_path / first / "manifest.json").read_bytes())
    assert package.digest((tmp_path / first / "manifest.json").read_bytes()) == first
    assert manifest["torch"] == torch.__version__.split("+")[0]


def test_check_values_tell_a_wrong_product():
    right = {"z": verify.sketch([torch.ones(5)])}
    verify.require_check(right, right, 1e-8, "x")
    wrong = {"z": verify.sketch([torch.ones(5) + 1e-6])}
    with pytest.raises(Refusal, match="'z' is off by"):
        verify.require_check(wrong, right, 1e-8, "x")


@pytest.mark.parametrize(
    "function", [torch.log, lambda x: torch.eye(2, 4, dtype=x.dtype)[x.long().sum(1) - 4]]
)
def test_check_values_are_of_the_samples_where_a_module_cannot_take_others(function):
    torch.manual_seed(0)
    made = exporter(nn.Sequential(Function(function), nn.Linear(4, 3)), samples_of(1 + torch.rand(3, 4)))
    values = made.verified()
    assert torch.tensor(list(values.values())).isfinite().all()
    assert torch.equal(made.stored_inputs["x"], made.x["x"])
