"""Weights that do not fit their module, by name, and those that fit in another type or under another name."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from trained_weights import Net, loaded, require_refused, require_trained, state, trained

from ritzflow.common.script_cli import InputError
from ritzflow.export.module import modules
from ritzflow.export.weights import weights

MISFITS = {
    "missing": (lambda s: s.pop("head.bias"), "missing: head.bias"),
    "missing statistics": (lambda s: s.pop("stem.1.running_var"), "missing: stem.1.running_var"),
    "misspelt": (
        lambda s: s.update({"hed.bias": s.pop("head.bias")}),
        "missing: head.bias; did you mean 'hed.bias'?; not in the module: hed.bias",
    ),
    "another shape": (
        lambda s: s.update({"head.bias": torch.ones(7)}),
        "of another shape: head.bias has [7], the module's [3]",
    ),
    "extra": (lambda s: s.update(extra=torch.ones(1)), "not in the module: extra (--no-strict"),
    "another own buffer": (lambda s: s.update(mask=torch.zeros(5)), "not in the module: mask"),
    "many extra": (
        lambda s: s.update({f"x{i}": torch.ones(1) for i in range(7)}),
        "not in the module: x0, x1, x2, x3 and 3 more",
    ),
    "complex": (lambda s: s.update({"head.bias": torch.ones(3) * 1j}), "'head.bias' is complex"),
    "quantised": (
        lambda s: s.update({"head.bias": torch.ones(3, dtype=torch.int8)}),
        "'head.bias' is quantised (int8), which has no curvature",
    ),
    "float8": (
        lambda s: s.update({"head.bias": torch.ones(3).to(torch.float8_e4m3fn)}),
        "'head.bias' is quantised (float8_e4m3fn)",
    ),
    "another kind": (
        lambda s: s.update({"head.bias": torch.ones(3, dtype=torch.int64)}),
        "'head.bias' has the type int64, the module's float32",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(name, tmp_path):
    change, message = MISFITS[name]
    tensors = state()
    change(tensors)
    torch.save(tensors, tmp_path / "w.pt")
    module = Net()
    before = state(module)
    require_refused(tmp_path / "w.pt", message, module=module)
    require_trained(module, before)


def test_missing_tensors_are_refused_whatever_strictness(tmp_path):
    tensors = state()
    del tensors["head.bias"]
    torch.save(tensors, tmp_path / "w.pt")
    require_refused(tmp_path / "w.pt", "missing: head.bias", strict=False)


def test_a_head_of_another_number_of_classes_is_named(tmp_path):
    torch.save({"state_dict": state(Net(outputs=7))}, tmp_path / "w.pt")
    shapes = "head.weight has [7, 5], the module's [3, 5]"
    require_refused(tmp_path / "w.pt", "'state_dict' does not fit the module; of another shape:", shapes)


@pytest.mark.parametrize("name", ["head.bias", "stem.1.running_mean"])
def test_values_that_are_no_numbers_are_named(name):
    module = trained()
    module.state_dict()[name][0] = float("nan")
    with pytest.raises(InputError, match=f"'{name}' holds NaN"):
        weights.refuse_not_finite(modules.Model(module, "mine:net"))


def test_a_buffer_may_hold_infinity():
    module = trained()
    module.mask[0] = -float("inf")
    weights.refuse_not_finite(modules.Model(module, "mine:net"))


def test_a_tied_weight_may_be_stored_under_either_name(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.head = nn.Embedding(6, 4), nn.Linear(4, 6, bias=False)
            self.head.weight = self.tokens.weight

    for name in ("tokens.weight", "head.weight"):
        save_file({name: torch.full((6, 4), 2.0)}, tmp_path / "w.safetensors")
        module, _ = loaded(tmp_path / "w.safetensors", Tied())
        assert module.tokens.weight is module.head.weight and module.head.weight.eq(2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_weights_are_widened_exactly(dtype, tmp_path):
    short = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state().items()}
    save_file(short, tmp_path / "w.safetensors")
    module, said = loaded(tmp_path / "w.safetensors")
    assert said.endswith(f"10 tensors, {str(dtype)[6:]} widened to float32")
    require_trained(module, {name: t.float() if t.is_floating_point() else t for name, t in short.items()})


def test_weights_in_float64_are_not_rounded(tmp_path):
    right = state(trained().double())
    right["head.weight"] += 1e-12
    torch.save(right, tmp_path / "w.pt")
    require_trained(loaded(tmp_path / "w.pt")[0], right)
