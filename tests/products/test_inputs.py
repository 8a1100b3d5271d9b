"""What a module is called with and where its logits are; in this process, without the stages."""

import re

import h5py
import numpy as np
import pytest
import torch
from exports import ROOT
from test_export import exporter
from torch import nn

from ritzflow.common.script_cli import InputError
from ritzflow.export.module import data, inputs, modules
from ritzflow.export.module.logits import layout_of
from ritzflow.export.trace import eager, trace
from tests.models import named_inputs


class Masked(nn.Module):
    """Tokens with real features beside them, averaged where a mask says so."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3 + 2, 4)

    def forward(self, tokens, features, mask=None):
        mask = mask.unsqueeze(-1)
        mean = (self.embedding(tokens) * mask).sum(1) / mask.sum(1)
        return self.head(torch.cat([mean, features], 1))


def write(path, **datasets):
    """A data.h5 of a classification; groups by "inputs/name"."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"task": "classification"} | datasets.pop("attributes", {}))
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values
    return path


def named(folder):
    random = np.random.default_rng(0)
    mask = random.integers(0, 2, (6, 4)).astype(bool)
    mask[:, 0] = True
    return write(
        folder / "data.h5",
        attributes={"num_classes": 4},
        inputs__tokens=random.integers(0, 5, (6, 4), dtype=np.int32),
        inputs__features=random.standard_normal((6, 2)).astype("f4"),
        inputs__mask=mask,
        targets=random.integers(0, 4, 6),
    )


def test_a_group_of_inputs_is_given_to_the_module_by_name(tmp_path):
    samples = data.load(named(tmp_path))
    x, y, weights = samples.batch(6)
    assert {name: t.dtype for name, t in x.items()} == {
        "x:features": torch.float32,
        "x:mask": torch.bool,
        "x:tokens": torch.int64,
    }
    model = modules.Model(Masked().double(), "mine:masked")
    x = inputs.typed(x, torch.float64)
    found = eager.Eager(model, "cross_entropy", x, y, weights).logits()
    expected = model.module(x["x:tokens"], x["x:features"], x["x:mask"])
    assert torch.equal(found, expected)
    slots = trace.example_slots(model, x, expected.shape)
    assert torch.equal(trace.products(model, slots, second=False, axes={})[0]["z"], expected)


@pytest.mark.parametrize(
    ("datasets", "reason"),
    [
        ({"inputs__x": np.ones((2, 1)), "shared__x": np.ones(3)}, "'x' is in both inputs and shared"),
        ({"inputs__a-b": np.ones((2, 1))}, "'a-b' is not a name that an argument of a module can have"),
    ],
)
def test_names_that_no_argument_can_have_are_refused(tmp_path, datasets, reason):
    with pytest.raises(InputError, match=reason):
        data.load(write(tmp_path / "data.h5", targets=np.zeros(2, int), **datasets))


def labels(shape, classes):
    return data.Samples(np.zeros((shape[0], 1), "f4"), np.zeros(shape, int), None, "classification", classes)


def layout(shape, samples, axis=None):
    return layout_of(shape, samples, len(samples.targets), axis, "mine:net")


@pytest.mark.parametrize(
    ("targets", "classes", "shape", "axis"),
    [
        ((2,), 5, (2, 5), -1),
        ((2, 3), 5, (2, 3, 5), -1),
        ((2, 3), 5, (2, 5, 3), 1),
        ((2, 3), 5, (6, 5), -1),
        ((2, 3, 4), 5, (2, 5, 3, 4), 1),
        ((2, 3, 4), 5, (2, 3, 4, 5), -1),
    ],
)
def test_classes_are_on_the_axis_that_the_targets_leave(targets, classes, shape, axis):
    found = layout(shape, labels(targets, classes))
    assert found.class_axis == axis
    z = torch.randn(shape)
    expected = z if axis == -1 else z.movedim(1, -1)
    assert torch.equal(found.rows(z), expected.reshape(-1, classes))


def test_where_two_axes_could_be_the_classes_the_user_decides():
    samples = labels((2, 3), 3)
    with pytest.raises(InputError, match="say which by --class-axis second or --class-axis last"):
        layout((2, 3, 3), samples)
    assert layout((2, 3, 3), samples, "second").class_axis == 1
    assert layout((2, 3, 3), samples, "last").class_axis == -1


def test_logits_that_fit_no_axis_name_both_shapes():
    with pytest.raises(
        InputError, match=r"have shape \[2, 3, 4\], but the data need \[2, 3, 5\] or \[2, 5, 3\]"
    ):
        layout((2, 3, 4), labels((2, 3), 5))


@pytest.mark.parametrize("masked", [False, True])
def test_real_targets_of_any_shape_are_compared_element_by_element(masked):
    targets = np.zeros((2, 3, 4))
    samples = data.Samples(np.zeros((2, 1)), targets, None, "regression", 1 if masked else 12)
    assert samples.rows_per_sample == (12 if masked else 1)
    assert layout((2, 1, 3, 4), samples).rows(torch.zeros(2, 1, 3, 4)).shape == (
        (24, 1) if masked else (2, 12)
    )
    with pytest.raises(InputError, match=r"have shape \[2, 4, 3\], but the data need \[2, 3, 4\]"):
        layout((2, 4, 3), samples)


@pytest.mark.parametrize(
    ("targets", "attributes", "several"),
    [
        (np.array([[0, 1, 1], [1, 0, 0]]), {"num_classes": 3}, True),
        (np.array([[0, 1, 1], [1, 0, 0]]), {"num_classes": 2}, False),
        (np.array([[0, 2, 1], [1, 0, 0]]), {"num_classes": 3}, False),
        (np.array([[0, 1, 1], [1, 0, 0]]), {"num_classes": 3, "several_labels": False}, False),
        (np.array([[0, -100], [1, 0]]), {"num_classes": 2}, False),
    ],
)
def test_a_row_of_labels_is_yes_or_no_for_each_class_or_a_label_each(tmp_path, targets, attributes, several):
    path = write(tmp_path / "data.h5", attributes=attributes, inputs=np.ones((2, 1)), targets=targets)
    samples = data.load(path)
    assert samples.several_labels == several
    assert samples.rows_per_sample == (1 if several else targets.shape[1])


def test_labels_for_each_class_that_are_logits_each_name_the_attribute():
    several = data.Samples(np.zeros((2, 1)), np.zeros((2, 3)), None, "classification", 3)
    with pytest.raises(InputError, match="by the attribute several_labels = false"):
        layout((2, 3, 3), several)


def test_a_masked_label_counts_nothing():
    samples = labels((2, 2), 3)
    samples.targets[0, 1] = -100
    _, y, weights = samples.batch(2)
    assert y.tolist() == [0, 0, 0, 0] and weights.tolist() == [1, 0, 1, 1]


class SequenceFirst(nn.Module):
    """A layer that sees [T, N, D], as recurrent networks have it by default."""

    def __init__(self):
        super().__init__()
        self.early, self.late = nn.Linear(2, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.late(torch.tanh(self.early(x.transpose(0, 1))).mean(0))


@pytest.mark.parametrize("length", [3, 4])
def test_a_layer_whose_first_axis_is_the_sequence_has_factors(length):
    x = np.random.default_rng(0).standard_normal((3, length, 2)).astype("f4")
    samples = data.Samples(x, np.array([0, 1, 1]), None, "classification", 2)
    made = exporter(SequenceFirst(), samples, products=["kfac"])
    made.verified()
    found = made.traced(torch.float64).with_taps(made.taps)
    assert [tap.weight.name for tap in found.taps] == ["early.weight", "late.weight"]


def test_a_module_without_any_layer_that_has_factors_is_exported_without():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2))

        def forward(self, x):
            return x @ (1 + self.weight)

    samples = data.Samples(np.ones((3, 2), "f4"), np.array([0, 1, 1]), None, "classification", 2)
    made = exporter(Bare(), samples, products=["ggn", "kfac"])
    assert set(made.verified()) == {"z", "u", "g"} and made.taps == {}


def test_the_documented_graph_network_is_the_one_that_is_tested():
    page = (ROOT / "docs" / "own-models.md").read_text()
    blocks = re.findall(r"```python[^\n]*\n(.*?)```", page, re.DOTALL)
    code = next(block for block in blocks if "class Gcn" in block).split("\n\n\n")[0]
    names = {"torch": torch}
    exec(code, names)
    documented, tested = names["Gcn"](3, 4, 3), named_inputs.gcn()
    documented.load_state_dict(tested.state_dict())
    call = torch.tensor([2, 0]), torch.randn(4, 3), torch.tensor([[0, 1, 3], [1, 0, 2]])
    assert torch.equal(documented(*call), tested(*call))
