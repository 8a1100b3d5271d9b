"""prepare_data.py: data as the stages expect them, the same bytes each time, nothing left of bad input."""

import hashlib

import h5py
import numpy as np
import pytest

from ritzflow.common.artifact_digest import content_sha256

OUT = "data.h5"


def test_digits_are_images_between_zero_and_one(prepare):
    data = prepare("digits", "--samples", 100, "--split", 0.6)
    assert data["inputs"].shape == (60, 1, 8, 8) and data["inputs"].dtype == np.float32
    assert data["test/inputs"].shape == (40, 1, 8, 8)
    assert data["inputs"].min() == 0 and 0.9 < data["inputs"].max() <= 1
    assert data["targets"].dtype == np.int64 and set(data["targets"]) <= set(range(10))
    assert (data.attributes["format"], data.attributes["format_version"]) == ("ritzflow-data", "1.0")
    assert (data.attributes["task"], data.attributes["num_classes"], data.attributes["source"]) == (
        "classification",
        10,
        "digits",
    )


def test_split_indices_lead_back_to_the_source(prepare, tmp_path):
    from sklearn.datasets import load_digits

    data = prepare("digits", "--samples", 100, "--seed", 3)
    train, test = data["split/train_index"], data["split/test_index"]
    assert len(set(train) | set(test)) == 100 and data.attributes["seed"] == 3
    source = load_digits()
    np.testing.assert_array_equal(data["inputs"][:, 0], (source.images[train] / 16).astype(np.float32))
    np.testing.assert_array_equal(data["test/targets"], source.target[test])


def test_inputs_are_standardised_on_the_training_part(prepare):
    data = prepare("wine")
    np.testing.assert_allclose(data["inputs"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data["inputs"].std(axis=0), 1, atol=1e-6)
    assert np.abs(data["test/inputs"].mean(axis=0)).max() > 1e-3


def test_text_targets_are_inputs_shifted_by_one_character(prepare, tmp_path):
    text = "the quick brown fox jumps over the lazy dog. " * 20
    (tmp_path / "book.txt").write_text(text)
    data = prepare("text:book.txt", "--context", 8, "--split", 1)
    vocabulary = data.attributes["vocabulary"]
    assert data.attributes["num_classes"] == len(vocabulary) == len(set(text))
    assert data["inputs"].dtype == np.int64 and data["inputs"].shape == data["targets"].shape == (112, 8)
    for row, start in enumerate(data["split/train_index"] * 8):
        assert "".join(vocabulary[i] for i in data["inputs"][row]) == text[start : start + 8]
        assert "".join(vocabulary[i] for i in data["targets"][row]) == text[start + 1 : start + 9]
    assert "test/inputs" not in data


def test_python_topics_are_tokens(prepare):
    data = prepare("python_topics", "--samples", 20, "--context", 16)
    assert data["inputs"].shape == (16, 16) and data.attributes["task"] == "language_modeling"
    assert data["inputs"].max() < data.attributes["num_classes"]


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
def test_own_arrays_are_taken_by_their_type(prepare, tmp_path, kind):
    arrays = {"inputs": np.random.default_rng(0).normal(size=(30, 5)), "targets": np.arange(30) % 3}
    if kind == "npz":
        np.savez(tmp_path / "mine", **arrays)
    else:
        with h5py.File(tmp_path / "mine.hdf5", "w") as file:
            file.update(arrays)
    data = prepare(f"{kind}:mine.{kind}", "--no-standardize")
    assert (data.attributes["task"], data.attributes["num_classes"]) == ("classification", 3)
    np.testing.assert_array_equal(
        data["inputs"], arrays["inputs"][data["split/train_index"]].astype(np.float32)
    )


def test_regression_targets_are_standardised_and_the_scale_is_kept(prepare):
    data = prepare("diabetes", "--samples", 50)
    assert data.attributes["task"] == "regression" and data["targets"].dtype == np.float32
    assert data["split/target_mean"] > 100 and abs(data["targets"].mean()) < 1e-6


SUMS = {  # content_sha256 of what sweeps were run with: a change needs a new ALGORITHM
    "digits": "2f03ef5500a08c51d41d923d6c03afed86ea10636d301b8e45794f71ea12e63d",
    "wine": "f6cd63cfa9ee0e4c7a541e0eba7b21e16f61cf96855bddf85051e5e67453fca1",
}


@pytest.mark.parametrize("source", SUMS)
def test_bundled_sources_keep_their_content(prepare, source):
    assert prepare(source).attributes["content_sha256"] == SUMS[source]


def test_same_arguments_give_the_same_bytes(script, tmp_path):
    written = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        words = ("--source", "digits", "--samples", 50, "--out", OUT)
        assert script("prepare_data.py", *words, cwd=tmp_path / folder).returncode == 0
        written.append((tmp_path / folder / OUT).read_bytes())
    assert written[0] == written[1]


GOOD = np.ones((6, 2))
LABELS = np.arange(6) % 2
HOLE = np.where(np.arange(12).reshape(6, 2) == 7, np.nan, 1.0)
BAD = {
    "nan": ({"inputs": HOLE, "targets": LABELS}, [], "NaN or infinity, first at (3, 1)"),
    "empty": ({"inputs": GOOD[:0], "targets": LABELS[:0]}, [], "no data"),
    "too large": (
        {"inputs": GOOD, "targets": np.arange(6)},
        ["--num-classes", 3],
        "labels 0..5 are out of range 0..2",
    ),
    "real labels": (
        {"inputs": GOOD, "targets": LABELS / 2},
        ["--task", "classification"],
        "labels are not integers",
    ),
    "lengths": ({"inputs": GOOD, "targets": LABELS[:5]}, [], "6 inputs but 5 targets"),
    "names": (
        {"x": GOOD},
        [],
        "arrays x; expected inputs, targets (--inputs NAME --targets NAME choose others)",
    ),
    "too many": ({"inputs": GOOD, "targets": LABELS}, ["--samples", 7], "7 wanted, but the source has 6"),
    "split": ({"inputs": GOOD, "targets": LABELS}, ["--split", 0], "--split: 0 is not in (0, 1]"),
    "no split": (
        {"inputs": GOOD, "targets": LABELS},
        ["--split", "half"],
        "'half' is neither a fraction nor none",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(prepare, case):
    arrays, flags, message = BAD[case]
    np.savez("bad.npz", **arrays)
    assert message in prepare.refusal("npz:bad.npz", *flags)


@pytest.mark.parametrize(("bytes", "message"), [(b"hello", "not an .npz archive"), (None, "no such file")])
def test_what_is_no_archive_is_one_line(script, tmp_path, bytes, message):
    if bytes:
        (tmp_path / "bad.npz").write_bytes(bytes)
    before = sorted(tmp_path.iterdir())
    done = script("prepare_data.py", "--source", "npz:bad.npz", "--out", OUT)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and message in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "digitz", "--out", OUT], "did you mean 'digits'?"),
        (["--source", "text:", "--out", OUT], "unknown source 'text:'"),
        (["--source", "digits", "--out", "none/data.h5"], "--out: none: no such folder"),
        (["--source", "digits"], "--out"),
        (["--source", "digits", "--sample", "x", "--out", OUT], "--sample"),
    ],
)
def test_bad_flags_are_one_line(script, tmp_path, arguments, message):
    done = script("prepare_data.py", *arguments)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "flag"),
    [
        ("digits", "--inputs"),
        ("npz:a.npz", "--text"),
        ("csv:a.csv", "--image-size"),
        ("pt:a.pt", "--tokenizer"),
    ],
)
def test_flags_that_say_nothing_of_a_source_are_refused(prepare, source, flag):
    kind = source.partition(":")[0]
    assert f"{flag}: says nothing of {kind}; it is for" in prepare.refusal(source, flag, 3)


def test_help_gives_each_default_once(script):
    text = " ".join(script("prepare_data.py", "--help").stdout.split())
    assert "None" not in text and "seed of the draw and the split (default: 0)" in text


def test_version_line_declares_the_algorithm(script):
    assert script("prepare_data.py", "--version").stdout == "prepare_data 0.1.0 (algorithm 2)\n"


def test_prepared_data_carry_both_digests(prepare, tmp_path):
    data = prepare("digits", "--samples", 20)
    block, rest = (tmp_path / OUT).read_bytes()[:512], (tmp_path / OUT).read_bytes()[512:]
    assert block.rstrip(b"\0") == f"ritzflow-sha256 1\n{hashlib.sha256(rest).hexdigest()}\n".encode()
    with h5py.File(tmp_path / OUT) as file:
        assert data.attributes["content_sha256"] == content_sha256(file)
