"""csv:, jsonl: and parquet: files: columns are features, one or several are the targets."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

N = 30
RANDOM = np.random.default_rng(0)
FRAME = pandas.DataFrame(
    {
        "age": RANDOM.integers(18, 90, N),
        "height": RANDOM.normal(1.7, 0.1, N),
        "smokes": np.arange(N) % 2 == 0,
        "species": np.array(["ant", "bee"])[np.arange(N) % 2],
        "income": RANDOM.normal(size=N),
    }
)
PLAIN = ("--split", "none", "--no-standardize")
FEATURES = FRAME[["age", "height", "smokes"]].to_numpy(np.float64).astype(np.float32)


def save(kind: str, frame: pandas.DataFrame) -> str:
    """Written as pandas users write it; the name of the source."""
    if kind == "csv":
        frame.to_csv("mine.csv", index=False)
    else:
        frame.to_json("mine.jsonl", orient="records", lines=True, double_precision=15)
    return f"{kind}:mine.{kind}"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_columns_are_features_and_words_are_labels(prepare, kind):
    source = save(kind, FRAME.drop(columns="income"))
    done = prepare(source, "--targets", "species", *PLAIN)
    np.testing.assert_allclose(done["inputs"], FEATURES, rtol=1e-7)
    assert done["targets"].tolist() == [i % 2 for i in range(N)]
    assert "labels 'ant', 'bee' -> 0..1" in done.said and "columns age, height, smokes" in done.said


def test_columns_are_chosen_and_the_others_named(prepare):
    source = save("csv", FRAME)
    done = prepare(source, "--inputs", "height", "age", "--targets", "income", "--weights", "age", *PLAIN)
    np.testing.assert_array_equal(done["inputs"], FEATURES[:, [1, 0]])
    np.testing.assert_array_equal(done["weights"], FRAME.age.astype(float))
    assert done.attributes["task"] == "regression" and "not used: smokes, species" in done.said


def test_numbers_keep_every_digit(prepare):
    save("csv", FRAME)
    done = prepare("csv:mine.csv", "--inputs", "income", "--targets", "height", *PLAIN)
    np.testing.assert_array_equal(done["inputs"][:, 0], FRAME.income.to_numpy().astype(np.float32))


def test_the_index_that_pandas_writes_is_no_feature(prepare):
    FRAME[["age", "height", "species"]].to_csv("mine.csv")
    done = prepare("csv:mine.csv", "--label", "species", *PLAIN)
    assert done["inputs"].shape == (N, 2) and "not used: the column without a name" in done.said


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_marks_of_byte_order_are_seen(prepare, separator):
    FRAME.to_csv("mine.csv", index=False, sep=separator, encoding="utf-8-sig")
    done = prepare("csv:mine.csv", "--inputs", "age", "height", "--targets", "species", *PLAIN)
    np.testing.assert_array_equal(done["inputs"], FEATURES[:, :2])


def test_several_targets_are_the_outputs_of_a_regression(prepare):
    source = save("csv", FRAME)
    done = prepare(source, "--inputs", "age", "--targets", "height", "income", *PLAIN)
    np.testing.assert_array_equal(done["targets"], FRAME[["height", "income"]].to_numpy().astype(np.float32))


def test_lists_in_a_line_are_inputs_of_their_own(prepare):
    rows = [{"ids": [i % 5, 2, 3], "kind": [0.5, i], "label": i % 2} for i in range(N)]
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = prepare("jsonl:mine.jsonl", "--label", "label", "--integer-inputs", "tokens", *PLAIN)
    assert done["inputs/ids"].tolist() == [row["ids"] for row in rows]
    assert done["inputs/ids"].dtype == np.int64 and done["inputs/kind"].dtype == np.float32


def test_numbers_among_words_and_in_quotes_count(prepare):
    rows = [
        {"a": str(i), "b": i, "c": True, "y": i % 2} if i % 2 else {"a": i, "b": 2**70, "c": False, "y": 0}
        for i in range(N)
    ]
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = prepare("jsonl:mine.jsonl", "--label", "y", *PLAIN)
    assert done["inputs"][:3].tolist() == [[0, 2**70, 0], [1, 1, 1], [2, 2**70, 0]]


def test_files_longer_than_a_chunk_are_whole(prepare, monkeypatch):
    monkeypatch.setattr("ritzflow.data.sources.table_files.VALUES", 7 * FRAME.shape[1])
    done = prepare(save("csv", FRAME), "--inputs", "height", "--targets", "species", *PLAIN)
    np.testing.assert_array_equal(done["inputs"], FEATURES[:, 1:2])


BAD = {
    "no target": ("a,b\n1,2\n", [], "columns a, b; --targets COLUMN says which is the target"),
    "unknown": ("a,b\n1,2\n", ["--targets", "B"], "has no column 'B', but a, b"),
    "no names": ("1,2\n3,4\n", ["--targets", "2"], "the first line holds numbers (1,2)"),
    "twice": ("a,a,y\n1,2,3\n", ["--targets", "y"], "two columns are called 'a'"),
    "short row": ("a,y\n1,2\n3\n", ["--targets", "y"], "line 3: 1 values, but the header has 2 names"),
    "long row": ("a,y\n1,2,3\n", ["--targets", "y"], "line 2: 3 values, but the header has 2 names"),
    "words": ("a,y\n1,2\nx,3\n", ["--targets", "y"], "column 'a', row 2: 'x' is not a number; --inputs"),
    "decimal comma": ("a;y\n1,5;2\n", ["--targets", "y"], "column 'a', row 1: '1,5' is not a number"),
    "a text": (
        "a,y\n" + 9 * "word " + ",3\n",
        ["--targets", "y"],
        "row 1: '" + 8 * "word " + "...' is not a number",
    ),
    "gap": ("a,y\n1,2\n,3\n", ["--targets", "y"], "column 'a', row 2: is empty"),
    "no label": ("a,y\n1,\n", ["--targets", "y"], "column 'y', row 1: is empty"),
    "nan": (
        "a,y\n1,2\nnan,3\n",
        ["--targets", "y", "--task", "regression"],
        "NaN or infinity, first at (1, 0)",
    ),
    "no rows": ("a,y\n", ["--targets", "y"], "no data"),
    "empty": ("", ["--targets", "y"], "no data (an empty file)"),
    "alone": ("y\n1\n", ["--targets", "y"], "no column beside the targets y"),
    "words as values": ("a,y,z\n1,b,2\n", ["--targets", "y", "z"], "column 'y' holds words; several targets"),
    "bytes": (b"a,y\n\xff,1\n", ["--targets", "y"], "not UTF-8 text"),
}


@pytest.mark.parametrize("case", BAD)
def test_rows_that_do_not_fit_are_named(prepare, case):
    text, flags, message = BAD[case]
    Path("mine.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in prepare.refusal("csv:mine.csv", *flags)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "y": 0}\n[1]\n', "line 2: not a JSON object"),
        ('{"a": 1, "y": 0}\n{"a": 1}\n', "line 2: other keys than the first line (y)"),
        (
            '{"a": [1], "y": 0}\n{"a": [1, 2], "y": 1}\n',
            "row 2: no list of numbers as long",
        ),
        ('{"a": null, "y": 0}\n', "column 'a', row 1: is empty"),
        ('{"a": 1, "y": 0}\n{"a": 1, "y": "b"}\n', "column 'y' holds words and numbers"),
    ],
)
def test_lines_that_do_not_fit_are_named(prepare, text, message):
    Path("mine.jsonl").write_text(text)
    assert message in prepare.refusal("jsonl:mine.jsonl", "--targets", "y")


def test_parquet_is_read_or_says_what_it_needs(prepare):
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        Path("mine.parquet").write_bytes(b"")
        assert "needs `pip install pyarrow`" in prepare.refusal("parquet:mine.parquet")
        return
    FRAME.to_parquet("mine.parquet")
    done = prepare("parquet:mine.parquet", "--inputs", "age", "height", "--targets", "species", *PLAIN)
    np.testing.assert_array_equal(done["inputs"], FEATURES[:, :2])
    Path("cut.parquet").write_bytes(Path("mine.parquet").read_bytes()[:100])
    assert "not a readable Parquet file" in prepare.refusal("parquet:cut.parquet")
