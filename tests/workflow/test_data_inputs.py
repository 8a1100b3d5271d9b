"""What prepare_data.py understands inputs as, how it scales them, and what float32 cannot hold."""

import h5py
import numpy as np
import pytest

from ritzflow.common.artifact_digest import content_sha256

N = 30
LABELS = np.arange(N) % 3
PLAIN = ("--split", "none", "--no-standardize")
RANDOM = np.random.default_rng(0)


def test_images_with_channels_last_need_a_word(prepare):
    images = RANDOM.normal(size=(N, 6, 5, 3))
    assert "--layout NHWC moves the channels to the front" in prepare.npz_refusal(images, LABELS)
    moved = prepare.npz(images, LABELS, *PLAIN, "--layout", "NHWC")
    np.testing.assert_array_equal(moved["inputs"], images.transpose(0, 3, 1, 2).astype(np.float32))
    assert "inputs [3, 6, 5] (channels moved to the front) as they are" in moved.said
    assert prepare.npz(images, LABELS, *PLAIN, "--layout", "NCHW")["inputs"].shape == (N, 6, 5, 3)


def test_scaling_is_that_of_the_moved_images(prepare):
    images = RANDOM.normal(size=(N, 6, 5, 3))
    done = prepare.npz(images, LABELS, "--layout", "NHWC")
    assert done["split/input_mean"].shape == (3, 6, 5)
    np.testing.assert_allclose(done["inputs"].mean(axis=0), 0, atol=1e-6)


def test_integer_inputs_need_a_word(prepare):
    tokens = RANDOM.integers(0, 50, (N, 8))
    assert "--integer-inputs tokens keeps them" in prepare.npz_refusal(tokens, LABELS)
    kept = prepare.npz(tokens, LABELS, "--split", "none", "--integer-inputs", "tokens")
    np.testing.assert_array_equal(kept["inputs"], tokens)
    assert kept["inputs"].dtype == np.int64 and "inputs [8] of integers" in kept.said
    real = prepare.npz(tokens, LABELS, "--integer-inputs", "real")
    assert real["inputs"].dtype == np.float32 and "inputs [8] standardized" in real.said


@pytest.mark.parametrize("values", [np.uint8([[0, 255]]), [[-1, 2]], [[True, False]]])
def test_bytes_signs_and_booleans_are_numbers(prepare, values):
    inputs = np.repeat(np.array(values), N, axis=0)
    done = prepare.npz(inputs, LABELS, *PLAIN)
    assert done["inputs"].dtype == np.float32
    np.testing.assert_array_equal(done["inputs"], inputs)


@pytest.mark.parametrize("dtype", ["f2", ">f4", ">f8", "g"])
def test_every_real_type_is_read_in_every_order(prepare, dtype):
    inputs = np.asfortranarray(RANDOM.normal(size=(N, 4)).astype(dtype))
    done = prepare.npz(inputs, LABELS, *PLAIN)
    np.testing.assert_array_equal(done["inputs"], inputs.astype(np.float32))


def test_bytes_are_said(prepare):
    done = prepare.npz(np.zeros((N, 1, 4, 4), np.uint8), LABELS, *PLAIN)
    assert "inputs [1, 4, 4] as they are, bytes 0..255" in done.said


def test_a_constant_feature_stays_small(prepare):
    """0.1 has no exact mean: its deviation is rounding, by which nothing may be divided."""
    inputs = np.column_stack([np.full(N, 0.1), RANDOM.normal(size=N)])
    assert np.abs(prepare.npz(inputs, LABELS)["inputs"][:, 0]).max() < 1e-12


BAD = {
    "too large for float32": (np.full((N, 2), 1e39), ["--no-standardize"], "do not fit into float32"),
    "too large to square": (np.repeat([[1e200], [-1e200]], N // 2, 0), [], "too large to be standardized"),
    "integers that float32 rounds": (
        np.full((N, 2), 2**24 + 1),
        ["--no-standardize", "--integer-inputs", "real"],
        "not exact in float32",
    ),
    "no integers": (np.ones((N, 2)), ["--integer-inputs", "tokens"], "inputs are float64, no integers"),
    "no images": (np.ones((N, 2)), ["--layout", "NHWC"], "--layout: NHWC, but inputs [N, 2] are no images"),
    "complex": (np.ones((N, 2), complex), [], "inputs: not an array of numbers (complex128)"),
    "infinite": (np.full((N, 2), np.inf), [], "inputs hold NaN or infinity, first at (0, 0)"),
}


@pytest.mark.parametrize("case", BAD)
def test_numbers_that_would_be_others_are_refused(prepare, case):
    inputs, flags, message = BAD[case]
    assert message in prepare.npz_refusal(inputs, LABELS, *flags)


def test_one_sample_cannot_be_standardized(prepare):
    line = prepare.npz_refusal(np.ones((1, 2)), np.ones(1), "--task", "regression")
    assert "one training sample cannot be standardized; use --no-standardize" in line
    assert len(prepare.npz(np.ones((1, 2)), np.ones(1), "--task", "regression", *PLAIN)["inputs"]) == 1


def test_blocks_change_nothing_but_rounding(prepare, monkeypatch):
    """Large data are read, scaled, written and digested a block at a time."""
    inputs, targets = RANDOM.normal(size=(N, 4)), RANDOM.normal(size=N)
    whole = prepare.npz(inputs, targets)
    with monkeypatch.context() as small:
        small.setattr("ritzflow.data.sources.samples.BLOCK", 28)
        small.setattr("ritzflow.common.artifact_digest.BLOCK", 28)
        cut = prepare.npz(inputs, targets)
    assert cut.data.keys() == whole.data.keys()
    for name in whole.data:
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-6, atol=1e-7)
    with h5py.File("data.h5") as file:
        assert content_sha256(file) == cut.attributes["content_sha256"]
