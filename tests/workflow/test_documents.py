"""Tables of the documents and options of the schema are what the programs say."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import documents  # noqa: E402


@pytest.fixture(scope="module")
def generated():
    return documents.documents()


@pytest.mark.parametrize(
    "path", [documents.FORMATS, documents.README, documents.SCHEMA], ids=lambda p: p.name
)
def test_the_document_is_up_to_date(generated, path):
    assert path.read_text() == generated[path], "run tests/tools/documents.py"


def test_every_setting_has_a_sentence_and_a_flag_of_its_name():
    for group in documents.catalogue()["settings"].values():
        for setting in group:
            assert setting["doc"] and not setting["doc"].endswith(".")
            assert setting["flag"] == "--" + setting["name"].replace("_", "-")


def test_the_layout_of_json_holds_the_same():
    value = json.loads(documents.SCHEMA.read_text())
    assert json.loads(documents.laid_out(value)) == value
