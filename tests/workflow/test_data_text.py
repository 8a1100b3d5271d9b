"""Texts with labels: what a tokenizer gives becomes named inputs. The tokenizer is a stand-in."""

import json
from pathlib import Path

import pytest

ROWS = [("a b", "c", "pos"), ("b", "a", "neg"), ("c c c c c c", "b", "pos"), ("a", "a b", "neg")] * 5


class Words:
    """A token a word; 101 in front, 0 behind the end."""

    def __call__(self, *texts, truncation, max_length=None, padding=None, verbose=True):
        rows = [
            [101, *(10 * i + ord(w) for i, text in enumerate(pair) for w in text.split())]
            for pair in zip(*texts)
        ]
        if not truncation:
            return {"input_ids": rows}
        ids = [(row[:max_length] + [0] * max_length)[:max_length] for row in rows]
        return {"input_ids": ids, "attention_mask": [[int(i > 0) for i in row] for row in ids]}


@pytest.fixture
def texts(prepare, monkeypatch):
    monkeypatch.setattr("ritzflow.data.sources.tokenized.load_tokenizer", lambda options: Words())
    lines = ["text,other,label", *(",".join(row) for row in ROWS)]
    Path("mine.csv").write_text("\n".join(lines) + "\n")
    Path("model").mkdir()
    return prepare


FLAGS = ("--text", "text", "--label", "label", "--tokenizer", "model", "--max-length", 4, "--split", "none")


def test_texts_become_named_inputs_and_a_label(texts):
    done = texts("csv:mine.csv", *FLAGS)
    assert done["inputs/input_ids"][:2].tolist() == [[101, 97, 98, 0], [101, 98, 0, 0]]
    assert done["inputs/attention_mask"][:2].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert done["targets"][:2].tolist() == [1, 0] and done["class_names"].tolist() == [b"neg", b"pos"]
    assert done.attributes["task"] == "classification" and "5 texts cut at 4 tokens" in done.said


def test_pairs_are_cut_together(texts):
    done = texts("csv:mine.csv", *FLAGS, "--text-pair", "other")
    assert done["inputs/input_ids"][0].tolist() == [101, 97, 98, 109]


def test_classes_have_the_order_of_the_model(texts):
    Path("model/config.json").write_text(json.dumps({"id2label": {"1": "neg", "0": "pos", "2": "other"}}))
    done = texts("csv:mine.csv", *FLAGS)
    assert done["targets"][:2].tolist() == [0, 1] and done.attributes["num_classes"] == 3
    Path("model/config.json").write_text(json.dumps({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}))
    assert texts("csv:mine.csv", *FLAGS)["targets"][:2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text", "body"], "has no column 'body'"),
        (["--inputs", "text"], "leave --inputs out"),
        (["--label", "label", "text"], "one column"),
    ],
)
def test_flags_that_say_nothing_here_are_refused(texts, flags, message):
    assert message in texts.refusal("csv:mine.csv", *FLAGS, *flags)


def test_rows_without_text_are_named(texts):
    with Path("mine.csv").open("a") as file:
        file.write(" ,b,pos\n")
    assert "column 'text', row 21: no text" in texts.refusal("csv:mine.csv", *FLAGS)


def test_what_a_tokenizer_needs_is_said(prepare):
    Path("mine.csv").write_text("text,label\na,b\n")
    line = prepare.refusal("csv:mine.csv", "--text", "text", "--label", "label")
    assert "--text: needs --tokenizer FOLDER and --max-length N" in line
