"""What the documents promise to explain."""

from pathlib import Path

import ablation_table
import pytest

from ritzflow.sweep import cells
from ritzflow.tables import cell_records

ROOT = Path(__file__).resolve().parents[2]
ROW_COLUMNS = ("n", "missing", "converged_of_k", "residual_ratio_worst")


@pytest.mark.parametrize("name", [*cell_records.QUANTITIES, *ablation_table.CELL_FIRST, *ROW_COLUMNS])
def test_every_column_of_the_tables_is_explained(name):
    axes = (*cells.ROW_AXES, *cells.AXES)  # names of the sweep file
    assert name in axes or f"`{name}`" in (ROOT / "docs" / "metrics.md").read_text()


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_document_is_in_the_index_of_its_folder(folder):
    index = (ROOT / folder / "README.md").read_text()
    for path in (ROOT / folder).glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in index


def test_every_shipped_sweep_file_is_named():
    readme = (ROOT / "configs" / "README.md").read_text()
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"`{path.name}`" in readme
