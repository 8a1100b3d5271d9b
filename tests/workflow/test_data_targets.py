"""What prepare_data.py understands targets as: right and said, or refused with the flag that decides."""

import numpy as np
import pytest

N = 30
X = np.random.default_rng(0).normal(size=(N, 4))
WHOLE = ("--split", "none")  # rows as in the source


def labels_of(values):
    """N targets that take the values in turn."""
    return np.array(values)[np.arange(N) % len(values)]


UNDERSTOOD = {
    "from 0": ([0, 1, 2], [], [0, 1, 2], 3, "labels 0..2"),
    "from 1": ([1, 2, 3], [], [0, 1, 2], 3, "labels 1..3 -> 0..2"),
    "from 1, one absent": ([1, 2, 4], ["--num-classes", 4], [0, 1, 3], 4, "labels 1..4 -> 0..3"),
    "from 1 as they are": (
        [1, 2, 3],
        ["--labels", "as_is"],
        [1, 2, 3],
        4,
        "labels 1..3 (no sample of class 0)",
    ),
    "a part of ten": (
        [1, 3, 8],
        ["--num-classes", 10],
        [1, 3, 8],
        10,
        "labels 1..8 (7 classes without samples)",
    ),
    "renumbered": ([7, 1000000, -3], ["--labels", "renumber"], [1, 2, 0], 3, "labels -3..1000000 -> 0..2"),
    "signs": ([-1, 1], [], [0, 1], 2, "labels -1, 1 -> 0..1"),
    "booleans": ([False, True], [], [0, 1], 2, "labels 0, 1 -> 0..1"),
    "words": (["dog", "ant", "cow"], [], [2, 0, 1], 3, "labels 'ant', 'cow', 'dog' -> 0..2"),
    "a column of words": ([["b"], ["a"]], [], [1, 0], 2, "labels 'a', 'b' -> 0..1"),
    "small integers": (np.uint8([0, 1]), [], [0, 1], 2, "labels 0, 1"),
    "big-endian": (np.array([0, 1], ">i4"), [], [0, 1], 2, "labels 0, 1"),
    "read as real": ([1.0, 2.0], ["--task", "classification"], [0, 1], 2, "labels 1, 2 -> 0..1"),
    "a column": ([[0], [1]], [], [0, 1], 2, "labels 0, 1"),
    "taken out": ([0, 1, -100], [], [0, 1, -100], 2, "labels 0, 1"),
    "taken out, from 1": ([1, -100, 2], [], [0, -100, 1], 2, "labels 1, 2 -> 0..1"),
    "one-hot": ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], ["--task", "classification"], [1, 0, 2], 3, "one-hot"),
    "one of two": ([0], ["--num-classes", 2], [0], 2, "labels 0 (no sample of class 1)"),
}


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_labels_become_classes(prepare, case):
    values, flags, right, classes, said = UNDERSTOOD[case]
    done = prepare.npz(X, labels_of(values), *WHOLE, *flags)
    np.testing.assert_array_equal(done["targets"], labels_of(right))
    assert done["targets"].dtype == np.int64
    assert (done.attributes["task"], done.attributes["num_classes"]) == ("classification", classes)
    assert f"classification, {classes} classes, {said}" in done.said


def test_class_names_are_kept(prepare):
    done = prepare.npz(X, labels_of(["dog", "ant"]))
    assert done["class_names"].tolist() == [b"ant", b"dog"]


REFUSED = {
    "gaps": ([0, 7, 999999], [], "take 3 values in 30 samples: --labels renumber"),
    "gaps name the head": ([0, 7, 999999], [], "--num-classes 1000000 keeps them"),
    "from 2": ([2, 3], [], "labels 2, 3 take 2 values"),
    "negative": ([-1, 0, 1], [], "labels -1..1 take 3 values"),
    "negative, classes": ([-1, 0, 1], ["--num-classes", 3], "out of range 0..2"),
    "too large": ([0, 3], ["--num-classes", 3], "labels 0, 3 are out of range 0..2"),
    "one class": ([3], [], "every label is 3: one class"),
    "one word": (["cat"], [], "every label is 'cat': one class"),
    "all taken out": ([-100], [], "none counts in the loss"),
    "whole numbers": ([1.0, 2.0], [], "labels with --task classification, values with --task regression"),
    "real signs": ([-1.0, 1.0], [], "labels with --task classification"),
    "fractions": ([0.5, 1.0], ["--task", "classification"], "labels are not integers"),
    "one-hot": ([[0, 1], [1, 0]], [], "--task classification takes its place as the label"),
    "real one-hot": ([[0.0, 1.0], [1.0, 0.0]], [], "--task classification takes its place as the label"),
    "several": ([[1, 1], [0, 1]], [], "several labels a sample with --task multilabel"),
    "shares": ([[0.25, 0.75], [0.5, 0.5]], [], "probabilities of the classes"),
    "counts": ([[3, 5], [7, 1]], [], "labels with --task classification, values with --task regression"),
    "words as values": (["a", "b"], ["--task", "regression"], "targets are words"),
    "words as they are": (["a", "b"], ["--labels", "as_is"], "as_is, but labels are words ('a', 'b')"),
    "complex": ([1j, 2j], [], "targets: not an array of numbers (complex128)"),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), [], "targets: not an array of numbers"),
    "huge": (np.array([0, 2**63], np.uint64), [], "holds integers of 2^63 and more"),
    "masked values": ([1, -100], ["--task", "regression"], "-100 is for labels and tokens"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_be_two_things_is_refused_with_the_flag_that_decides(prepare, case):
    values, flags, message = REFUSED[case]
    assert message in prepare.npz_refusal(X, labels_of(values), *flags)


def test_as_many_labels_as_samples_are_refused(prepare):
    line = prepare.npz_refusal(X, np.arange(N))
    assert "--num-classes 30 if they are classes, --task regression if they are values" in line
    assert prepare.npz(X, np.arange(N), "--task", "regression").attributes["task"] == "regression"


def test_too_many_labels_to_be_counted_are_refused(prepare, monkeypatch):
    monkeypatch.setattr("ritzflow.data.prepared.facts.DISTINCT", 5)
    assert "different labels; --task regression" in prepare.npz_refusal(X, np.arange(N) % 7)
    assert prepare.npz(X, X[:, 0]).attributes["task"] == "regression"


def test_one_hot_columns_may_be_labels_of_their_own(prepare):
    rows = labels_of([[0, 1], [1, 0]])
    done = prepare.npz(X, rows, "--task", "multilabel", *WHOLE)
    np.testing.assert_array_equal(done["targets"], rows)
    assert done.attributes["num_classes"] == 2


def test_shares_of_classes_stay_real(prepare):
    shares = labels_of([[0.25, 0.75], [0.5, 0.5]])
    done = prepare.npz(X, shares, "--task", "classification", *WHOLE)
    assert done["targets"].dtype == np.float32 and done.attributes["task"] == "classification"
    np.testing.assert_array_equal(done["targets"], shares.astype(np.float32))


def test_targets_that_repeat_their_tokens_are_not_the_next_ones(prepare):
    tokens = np.random.default_rng(0).integers(0, 9, (N, 5))
    assert "--task language_modeling for tokens of one vocabulary" in prepare.npz_refusal(tokens, tokens % 3)
    tags = prepare.npz(
        tokens, tokens % 3, "--task", "classification", "--integer-inputs", "tokens", "--split", "none"
    )
    assert tags.attributes["num_classes"] == 3 and tags["targets"].tolist() == (tokens % 3).tolist()
    assert "must be the next tokens" in prepare.npz_refusal(tokens, tokens)
    assert "none counts in the loss" in prepare.npz_refusal(tokens, np.full_like(tokens, -100))
    done = prepare.npz(tokens[:, :-1], np.where(tokens[:, 1:] == 3, -100, tokens[:, 1:]), *WHOLE)
    assert done.attributes["task"] == "language_modeling" and -100 in done["targets"]
