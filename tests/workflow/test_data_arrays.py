"""Arrays by name: weights and masks are carried along, others are named, several inputs form a group."""

import h5py
import numpy as np
import pytest

N = 30
X = np.random.default_rng(0).normal(size=(N, 4))
LABELS = np.arange(N) % 3
WEIGHTS = np.linspace(0, 2, N)
PLAIN = ("--split", "none", "--no-standardize")


def save(kind, **arrays):
    """One source of each kind with the same arrays; its name for --source."""
    if kind == "npz":
        np.savez("mine.npz", **arrays)
        return "npz:mine.npz"
    if kind == "npz, compressed":
        np.savez_compressed("mine.npz", **arrays)
        return "npz:mine.npz"
    with h5py.File("mine.hdf5", "w") as file:
        for name, values in arrays.items():
            file[name.replace(".", "/")] = values
    return "hdf5:mine.hdf5"


KINDS = pytest.mark.parametrize("kind", ["npz", "npz, compressed", "hdf5"])


@KINDS
def test_weights_and_mask_are_drawn_and_split_with_the_samples(prepare, kind):
    mask = (np.arange(N) % 4 > 0).astype(bool)
    source = save(kind, inputs=X, targets=LABELS, weights=WEIGHTS, mask=mask)
    done = prepare(source, "--samples", 20)
    for part, rows in (("", done["split/train_index"]), ("test/", done["split/test_index"])):
        np.testing.assert_array_equal(done[f"{part}weights"], WEIGHTS[rows])
        np.testing.assert_array_equal(done[f"{part}mask"], mask[rows])
        np.testing.assert_array_equal(done[f"{part}targets"], LABELS[rows])
    assert done["weights"].dtype == np.float64 and done["mask"].dtype == np.uint8
    assert "weights carried along; mask carried along" in done.said


@KINDS
def test_arrays_are_chosen_by_name_and_others_are_named(prepare, kind):
    source = save(kind, X=X, y=LABELS, w=WEIGHTS, ids=np.arange(N))
    line = prepare.refusal(source)
    assert "arrays" in line and "expected inputs, targets (--inputs NAME --targets NAME" in line
    assert all(name in line for name in ("X", "y", "ids"))
    done = prepare(source, "--inputs", "X", "--targets", "y", "--weights", "w", *PLAIN)
    np.testing.assert_array_equal(done["inputs"], X.astype(np.float32))
    np.testing.assert_array_equal(done["weights"], WEIGHTS)
    assert done.said.rstrip().endswith("not used: ids")
    assert "has no array 'Y'; it has" in prepare.refusal(source, "--inputs", "X", "--targets", "Y")


@KINDS
def test_an_own_test_part_is_kept(prepare, kind):
    source = save(kind, x_train=X, y_train=LABELS, x_test=X[:7] + 1, y_test=LABELS[:7])
    done = prepare(source, "--inputs", "x_train", "--targets", "y_train", "--no-standardize")
    np.testing.assert_array_equal(done["inputs"], X.astype(np.float32))
    np.testing.assert_array_equal(done["test/inputs"], (X[:7] + 1).astype(np.float32))
    assert "split/train_index" not in done and done.attributes["split"] == "none"
    assert "30 training and 7 test samples as in the source" in done.said
    line = prepare.refusal(source, "--inputs", "x_train", "--targets", "y_train", "--split", 0.5)
    assert "the source has a test part of its own" in line


def test_the_test_part_is_scaled_as_the_training_part(prepare):
    done = prepare.npz(X, LABELS, inputs_test=X, targets_test=LABELS)
    np.testing.assert_array_equal(done["inputs"], done["test/inputs"])
    assert "inputs [4] standardized" in done.said


def test_labels_of_both_parts_are_numbered_alike(prepare):
    done = prepare.npz(X, LABELS % 2 + 1, inputs_test=X[:3], targets_test=np.array([3, 1, 2]))
    assert done["test/targets"].tolist() == [2, 0, 1] and done.attributes["num_classes"] == 3


@KINDS
def test_several_inputs_form_a_group(prepare, kind):
    ids = np.arange(N * 5).reshape(N, 5) % 11
    source = save(kind, **{"inputs.input_ids": ids, "inputs.age": X[:, :1]}, targets=LABELS)
    done = prepare(source, "--no-standardize")
    rows = done["split/train_index"]
    np.testing.assert_array_equal(done["inputs/input_ids"], ids[rows])
    np.testing.assert_array_equal(done["inputs/age"], X[rows, :1].astype(np.float32))
    assert done["inputs/input_ids"].dtype == np.int64 and "test/inputs/age" in done
    assert "inputs age [1] as they are, inputs input_ids [5] of integers" in done.said


def test_named_inputs_are_arguments(prepare):
    np.savez("mine.npz", a=X, b=X, y=LABELS, **{"my x": X})
    done = prepare("npz:mine.npz", "--inputs", "a", "b", "--targets", "y")
    np.testing.assert_allclose(done["inputs/a"].mean(axis=0), 0, atol=1e-6)
    assert done["split/input_mean/b"].shape == (4,)
    line = prepare.refusal("npz:mine.npz", "--inputs", "a", "my x", "--targets", "y")
    assert "'my x' cannot be the name of a module's argument" in line


def test_a_folder_of_npy_files_is_arrays_by_name(prepare, tmp_path):
    for name, values in {"X_train": X, "y_train": LABELS, "X_test": X[:5], "y_test": LABELS[:5]}.items():
        np.save(tmp_path / name, values)
    done = prepare("npy:.", "--inputs", "X_train", "--targets", "y_train", "--no-standardize")
    np.testing.assert_array_equal(done["inputs"], X.astype(np.float32))
    assert len(done["test/inputs"]) == 5


def test_shared_inputs_are_held_once(prepare):
    edges = np.array([[0, 1, 2], [1, 2, 0]])
    done = prepare.npz(X, LABELS, **{"shared.edge_index": edges, "shared.size": np.array(0.5)})
    np.testing.assert_array_equal(done["shared/edge_index"], edges)
    assert done["shared/edge_index"].dtype == np.int64 and done["shared/size"].dtype == np.float32
    assert "not used" not in done.said
    line = prepare.npz_refusal(X, LABELS, **{"shared.names": np.array(["a"])})
    assert "shared names: not an array of numbers" in line


def test_weights_may_be_one_a_target(prepare):
    targets, weights = X[:, :2], np.abs(X[:, 2:])
    done = prepare.npz(X, targets, *PLAIN, weights=weights)
    np.testing.assert_array_equal(done["weights"], weights)
    assert "weights are [N, 3], expected [N] or as targets" in prepare.npz_refusal(
        X, targets, weights=np.abs(X[:, 1:])
    )


def test_labels_of_each_position_are_told_from_several_of_a_sample(prepare):
    tags = np.arange(N * 4).reshape(N, 4) % 2
    done = prepare.npz(X, tags, "--task", "classification", "--num-classes", 2, *PLAIN)
    np.testing.assert_array_equal(done["targets"], tags)
    assert done.attributes["several_labels"].tolist() is False and done.attributes["num_classes"] == 2
    assert "several_labels" not in prepare.npz(X, tags, "--task", "multilabel").attributes


def test_a_group_may_have_a_test_part(prepare):
    tests = {"inputs.a_test": X[:2], "inputs_test.b": X[:2], "targets_test": LABELS[:2]}
    np.savez("mine.npz", targets=LABELS, **{"inputs.a": X, "inputs.b": X}, **tests)
    done = prepare("npz:mine.npz", "--no-standardize")
    assert done["test/inputs/a"].shape == done["test/inputs/b"].shape == (2, 4)
    assert len(done["inputs/a"]) == N and "not used" not in done.said


BAD = {
    "ragged": (
        {"inputs": np.array([[1], [1, 2]], object), "targets": [0, 1]},
        "array inputs: holds Python objects",
    ),
    "lengths": ({"inputs": X, "targets": LABELS[:-1]}, "30 inputs but 29 targets"),
    "weights": ({"inputs": X, "targets": LABELS, "weights": WEIGHTS[1:]}, "29 weights but 30 targets"),
    "negative": ({"inputs": X, "targets": LABELS, "weights": -WEIGHTS}, "expected weights >= 0"),
    "no weight": ({"inputs": X, "targets": LABELS, "weights": 0 * WEIGHTS}, "every value of weights is 0"),
    "bytes": ({"inputs": X, "targets": LABELS.astype("S")}, "bytes; words are saved with .astype(str)"),
    "mask": ({"inputs": X, "targets": LABELS, "mask": LABELS}, "mask holds a value other than 0 and 1"),
    "half a test part": (
        {"inputs": X, "targets": LABELS, "inputs_test": X},
        "inputs_test without a test array of targets",
    ),
    "other shape": (
        {"inputs": X, "targets": LABELS, "inputs_test": X[:, :2], "targets_test": LABELS},
        "inputs are [N, 4], those of the test",
    ),
    "scalar": ({"inputs": X, "targets": np.array(3)}, "targets: not an array of numbers (a single number)"),
    "empty": ({"inputs": X[:0], "targets": LABELS[:0]}, "no data (inputs [0, 4])"),
}


@pytest.mark.parametrize("case", BAD)
def test_arrays_that_do_not_fit_are_named(prepare, case):
    arrays, message = BAD[case]
    np.savez("mine.npz", **{name: np.asarray(values) for name, values in arrays.items()})
    assert message in prepare.refusal("npz:mine.npz")


def test_a_single_array_is_no_archive(prepare, tmp_path):
    np.save(tmp_path / "mine.npy", X)
    line = prepare.refusal("npz:mine.npy")
    assert "one array (.npy), no .npz archive" in line and "pickle" not in line
    assert "expected a folder of .npy files" in prepare.refusal("npy:mine.npy")
    (tmp_path / "mine.npz").write_bytes((tmp_path / "mine.npy").read_bytes()[:64])
    assert "one array (.npy)" in prepare.refusal("npz:mine.npz")


def test_a_cut_file_is_refused(prepare, tmp_path):
    np.savez("whole.npz", inputs=X, targets=LABELS)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:700])
    assert "not an .npz archive as numpy.savez writes it" in prepare.refusal("npz:cut.npz")


def test_a_data_file_is_a_source(prepare, tmp_path):
    """data.h5 itself, its split kept."""
    first = prepare.npz(X, LABELS, "--no-standardize")
    (tmp_path / "data.h5").rename(tmp_path / "old.h5")
    again = prepare("hdf5:old.h5", "--no-standardize")
    for name in ("inputs", "targets", "test/inputs", "test/targets"):
        np.testing.assert_array_equal(again[name], first[name])
    assert "not used" not in again.said
