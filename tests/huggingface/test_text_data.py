"""prepare_data.py with a tokenizer of transformers: pairs, padding and special tokens are the tokenizer's."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

transformers = pytest.importorskip("transformers", reason="run by `make test-models`")

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["the", "cat", "sat", "on", "mat", "dog", "ran"]
ROWS = [("the cat sat", "the dog ran", "yes"), ("the dog", "on the mat on the mat on the mat", "no")] * 4


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "model")
    lines = ["premise\thypothesis\tentailed", *("\t".join(row) for row in ROWS)]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    return tmp_path


def prepare(folder, *flags):
    script = ROOT / "stages/scripts/prepare_data.py"
    call = [
        sys.executable,
        script,
        "--source",
        "csv:mine.csv",
        "--tokenizer",
        "model",
        *flags,
        "--out",
        "data.h5",
    ]
    return subprocess.run(list(map(str, call)), cwd=folder, capture_output=True, text=True)


def test_pairs_are_those_of_the_tokenizer(folder):
    flags = ("--text", "premise", "--text-pair", "hypothesis", "--label", "entailed", "--max-length", 12)
    done = prepare(folder, *flags, "--split", "none")
    assert done.returncode == 0, done.stderr
    tokenizer = transformers.BertTokenizer.from_pretrained(folder / "model")
    first, second, _ = zip(*ROWS)
    right = tokenizer(list(first), list(second), truncation=True, padding="max_length", max_length=12)
    with h5py.File(folder / "data.h5") as file:
        assert set(file["inputs"]) == set(right) == {"input_ids", "token_type_ids", "attention_mask"}
        for name, values in right.items():
            np.testing.assert_array_equal(file["inputs"][name], values)
        assert file["targets"][:2].tolist() == [1, 0]
    assert "4 texts cut at 12 tokens" in done.stderr


def test_a_tokenizer_without_padding_is_refused(folder):
    fast = transformers.BertTokenizer.from_pretrained(folder / "model").backend_tokenizer
    transformers.PreTrainedTokenizerFast(tokenizer_object=fast, unk_token="[UNK]").save_pretrained(
        folder / "model"
    )
    done = prepare(folder, "--text", "premise", "--label", "entailed", "--max-length", 12)
    assert done.returncode == 2 and "has no padding token" in done.stderr


def test_a_folder_without_a_tokenizer_is_refused(folder):
    done = prepare(
        folder, "--tokenizer", "none", "--text", "premise", "--label", "entailed", "--max-length", 12
    )
    assert done.returncode == 2 and done.stderr.startswith(
        "error: --tokenizer: none: no tokenizer of save_pre"
    )
    assert done.stderr.count("\n") == 1
