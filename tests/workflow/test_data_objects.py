"""pt: files, image folders and data sets that a function of the user's returns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

N = 20
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 3)).astype(np.float32)
LABELS = np.arange(N) % 2
PLAIN = ("--split", "none", "--no-standardize")


def is_the_data(done) -> bool:
    return np.array_equal(done["inputs"], X) and np.array_equal(done["targets"], LABELS)


def test_tensors_are_a_pair_or_have_names(prepare):
    x, y = torch.from_numpy(X), torch.from_numpy(LABELS)
    torch.save((x, y), "pair.pt")
    assert is_the_data(prepare("pt:pair.pt", *PLAIN))
    torch.save({"x": x.requires_grad_(), "y": y}, "named.pt")
    assert is_the_data(prepare("pt:named.pt", "--inputs", "x", "--targets", "y", *PLAIN))
    torch.save((x.detach().bfloat16(), y), "half.pt")
    assert np.array_equal(prepare("pt:half.pt", *PLAIN)["inputs"], x.detach().bfloat16().float().numpy())


def test_data_set_objects_are_not_unpickled(prepare):
    x, y = torch.from_numpy(X), torch.from_numpy(LABELS)
    torch.save(torch.utils.data.TensorDataset(x, y), "set.pt")
    line = prepare.refusal("pt:set.pt")
    assert "a data set object, which is not unpickled; x, y = dataset.tensors; torch.save(" in line
    torch.save(x, "one.pt")
    assert "a Tensor, expected a pair (inputs, targets) or a dictionary" in prepare.refusal("pt:one.pt")
    Path("no.pt").write_text("hello")
    assert "not a file of tensors" in prepare.refusal("pt:no.pt")
    torch.save((x.to_sparse(), y), "sparse.pt")
    assert "a sparse or quantized tensor" in prepare.refusal("pt:sparse.pt")


def save_images(
    folder: str, mode: str = "RGB", size: tuple[int, int] = (5, 4), classes=("ant", "bee")
) -> dict:
    """Three images a class; the pixels by file name."""
    saved = {}
    for name in classes:
        Path(folder, name).mkdir(parents=True)
        for i in range(3):
            pixels = RANDOM.integers(
                0, 256, (*size[::-1], 3) if mode == "RGB" else size[::-1], dtype=np.uint8
            )
            path = Path(folder, name, f"{i}.png")
            Image.fromarray(pixels).save(path)
            saved[str(path)] = pixels
    return saved


def test_a_folder_a_class_is_images_between_0_and_1(prepare):
    saved = save_images("all")
    done = prepare("images:all")
    rows = np.concatenate([done["split/train_index"], done["split/test_index"]])
    images = np.concatenate([done["inputs"], done["test/inputs"]])
    expected = np.stack([saved[name] for name in sorted(saved)]).transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(images, expected[rows])
    assert done["class_names"].tolist() == [b"ant", b"bee"]
    assert "2 classes, labels 0, 1" in done.said and "inputs [3, 4, 5] as they are; pixels 0..1" in done.said


def test_grey_images_have_one_channel_and_own_parts_are_kept(prepare):
    save_images("all/train", "L")
    save_images("all/val", "L")
    done = prepare("images:all")
    assert done["inputs"].shape == done["test/inputs"].shape == (6, 1, 4, 5)
    assert done["targets"].tolist() == [0, 0, 0, 1, 1, 1]


def test_images_of_other_sizes_need_a_word(prepare):
    save_images("all")
    save_images("all", size=(6, 4), classes=["cow"])
    assert "4x6 pixels" in (line := prepare.refusal("images:all")) and "--image-size S" in line
    assert prepare("images:all", "--image-size", 8)["inputs"].shape[1:] == (3, 8, 8)


def test_folders_without_images_are_refused(prepare):
    Path("all/ant").mkdir(parents=True)
    assert "no image in it" in prepare.refusal("images:all")
    Path("all/ant/0.png").write_text("hello")
    assert "0.png: not a readable image" in prepare.refusal("images:all")
    assert "expected one for each class" in prepare.refusal("images:all/ant")
    save_images("one", classes=["cat"])
    assert "one class, nothing to tell apart" in prepare.refusal("images:one")


MODULE = """
import numpy, torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

x, y = torch.from_numpy(numpy.load("x.npy")), torch.from_numpy(numpy.load("y.npy"))

def arrays(): return x.numpy(), y.numpy()
def dataset(): return TensorDataset(x, y)
def loader(): return DataLoader(dataset(), batch_size=7)
def numbers(): return [(a.tolist(), int(b)) for a, b in zip(x, y)]
def samples(): return ((a, b) for a, b in zip(x, y))
def batches():
    for start in range(0, len(x), 6):
        yield x[start:start + 6], y[start:start + 6]
def rows(): return [{"pixels": a, "label": b} for a, b in zip(x, y)]
def words(): return [(a, "no" if b == 0 else "yes") for a, b in zip(x, y)]

def parts(): return {"train": dataset(), "test": TensorDataset(x[:4], y[:4])}
def named(): return [{"a": a, "b": 2 * a, "labels": b, "weights": 2.0} for a, b in zip(x, y)]
def drawn(): return torch.randn(8, 3), torch.arange(8) % 2

class Large(Dataset):
    classes = ["no", "yes"]
    def __len__(self): return 10**6
    def __getitem__(self, i): return torch.tensor([float(i)]), i % 2
def large(): return Large()

def three(): return [(a, a, b) for a, b in zip(x, y)]
def two_inputs(): return [((a, a), b) for a, b in zip(x, y)]
def ragged(): return [(a[:1 + i % 2], b) for i, (a, b) in enumerate(zip(x, y))]
def empty(): return []
def bunch(): return {"data": x, "names": "abc"}
def text(): return [{"text": "a", "pixels": a, "label": b} for a, b in zip(x, y)]
def leaves(): raise SystemExit(0)
def number(): return 3
def broken():
    for a, b in zip(x, y):
        yield a / 0 if b is None else a, [1, 2][int(b) + 1]
"""


@pytest.fixture
def module(prepare, monkeypatch):
    """prepare_data.py beside a user's mine.py, imported anew."""
    import sys

    np.save("x.npy", X)
    np.save("y.npy", LABELS)
    Path("mine.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield prepare
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    "function", ["arrays", "dataset", "loader", "numbers", "samples", "batches", "rows", "words"]
)
def test_a_function_gives_the_data_in_any_form(module, function):
    assert is_the_data(module(f"dataset:mine:{function}", *PLAIN))


def test_a_function_may_give_parts_names_and_weights(module):
    done = module("dataset:mine:parts", "--no-standardize")
    assert is_the_data(done) and len(done["test/inputs"]) == 4
    done = module("dataset:mine:named", *PLAIN)
    np.testing.assert_array_equal(done["inputs/b"], 2 * X)
    assert set(done["weights"]) == {2.0}


@pytest.mark.parametrize("split", [(), ("--split", "none")])
def test_only_the_drawn_samples_of_a_data_set_are_read(module, split):
    done = module("dataset:mine:large", "--samples", 10, "--no-standardize", *split)
    rows = np.random.default_rng(0).permutation(10**6)[:10]
    train, test = (np.sort(rows), []) if split else (rows[:8], rows[8:])
    assert done["inputs"][:, 0].tolist() == done["split/train_index"].tolist() == list(train)
    assert done["targets"].tolist() == [i % 2 for i in train]
    assert split or done["test/inputs"][:, 0].tolist() == list(test)
    assert done["class_names"].tolist() == [b"no", b"yes"]
    assert "30 wanted, but the source has 20" in module.refusal("dataset:mine:dataset", "--samples", 30)


def test_only_the_drawn_images_are_read(prepare):
    saved = save_images("all")
    done = prepare("images:all", "--samples", 4)
    images = np.stack([saved[name] for name in sorted(saved)]).transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(done["inputs"], images[done["split/train_index"]])
    np.testing.assert_array_equal(done["test/inputs"], images[done["split/test_index"]])


def test_what_a_function_draws_is_drawn_by_the_seed(module):
    first = module("dataset:mine:drawn", "--seed", 3).data
    again = module("dataset:mine:drawn", "--seed", 3).data
    other = module("dataset:mine:drawn", "--seed", 4).data
    assert np.array_equal(first["inputs"], again["inputs"])
    assert not np.array_equal(first["inputs"], other["inputs"])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("three", "a sample is 3 values, expected a pair"),
        ("two_inputs", "inputs are several arrays; give them names"),
        ("ragged", "sample 1: inputs has shape [2], those before [1]"),
        ("empty", "no sample in it"),
        ("bunch", "gives a dictionary (data, names), expected arrays by name or train and test parts"),
        ("text", "text holds words (a); --inputs names what is taken"),
        ("leaves", "SystemExit: 0"),
        ("number", "gives a int, expected a data set"),
        ("broken", "IndexError: list index out of range (mine.py, line 38)"),
        ("nothing", "mine has no 'nothing'"),
    ],
)
def test_what_a_function_does_wrong_is_one_line(module, function, message):
    assert message in module.refusal(f"dataset:mine:{function}")


def test_a_module_that_is_not_there_is_named(prepare):
    assert "no module 'nowhere' in this folder" in prepare.refusal("dataset:nowhere:f")
    assert "expected dataset:PACKAGE.MODULE:FUNCTION" in prepare.refusal("dataset:nowhere")
