"""A small sweep with variants and a grid through Snakemake: folders, flags, tables, and what is kept."""

import h5py
import pandas as pd
import pytest
from edited_sweep import Sweep

MODES = {"operators": {"ggn": {}}, "reorth_modes": ["full", "selective"]}
VARIANTS = {"variants": {"quick": {"max_iters": 4}}, "grid": {"reorth_window": [2, 3]}}
CELLS = {
    ("full", "quick"): {"max_iters": 4},
    ("full", "base"): {"max_iters": 6},
    ("selective", "quick"): {"max_iters": 4, "reorth_window": 8},
    ("selective", "reorth_window=2"): {"max_iters": 6, "reorth_window": 2},
    ("selective", "reorth_window=3"): {"max_iters": 6, "reorth_window": 3},
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Run without variants, its cells moved to the folder of the variant `base`, then run with variants."""
    sweep = Sweep(tmp_path_factory.mktemp("variants"), targets=["ablation_table", "figures"], **MODES)
    sweep.raw["reorth_modes"] = ["full"]
    sweep.write()
    sweep.done("--until", "metrics")
    mode = sweep.results / "cells/m/seed0/step4/ggn/full"
    (mode / "base").mkdir()
    for path in [*mode.glob("probe*"), mode / "density.h5"]:
        path.rename(mode / "base" / path.name)
    sweep.moved = {path: path.stat().st_ino for path in mode.rglob("*.*")}
    sweep.raw |= MODES | VARIANTS
    sweep.write()
    sweep.done()
    return sweep


def place(sweep, mode, variant):
    return sweep.results / "cells/m/seed0/step4/ggn" / mode / variant


@pytest.mark.parametrize(("mode", "variant"), CELLS)
def test_each_run_has_the_settings_of_its_variant(sweep, mode, variant):
    with h5py.File(place(sweep, mode, variant) / "probe0" / "lanczos.h5") as file:
        assert file.attrs["reorth_mode"] == mode
        assert CELLS[mode, variant].items() <= dict(file.attrs).items()


def test_there_are_no_other_cells(sweep):
    there = {path.parts[-4:-2] for path in sweep.results.rglob("lanczos.h5")}
    assert there == set(CELLS)


def test_tables_have_a_row_for_each_variant_and_compare_equal_settings(sweep):
    table = pd.read_csv(sweep.results / "tables" / "ablation.csv", comment="#")
    assert list(table.columns[4:6]) == ["reorth_mode", "variant"]
    assert set(zip(table["reorth_mode"], table["variant"], strict=True)) == set(CELLS)
    assert list(sweep.cells().columns[5:8]) == ["reorth_mode", "variant", "probe"]
    full = table[table["reorth_mode"] == "full"]
    assert (full["wrong_of_top_k_mean"] == 0).all() and table["wrong_of_top_k_mean"].notna().all()
    assert "| selective | reorth_window=2 |" in (sweep.results / "tables" / "ablation.md").read_text()
    assert r"reorth\_window=2" in (sweep.results / "tables" / "ablation.tex").read_text()


def test_moved_cells_of_the_sweep_without_variants_stand(sweep):
    assert len(sweep.moved) == 4
    assert {path: path.stat().st_ino for path in sweep.moved} == sweep.moved


def test_a_variant_more_makes_its_own_cells(sweep):
    before = sweep.state()
    sweep.raw = {**sweep.raw, "grid": {"reorth_window": [2, 3, 4]}}
    sweep.write()
    sweep.targets = [
        str(place(sweep, "selective", "reorth_window=4").relative_to(sweep.folder) / "probe0/metrics.json")
    ]
    sweep.done()
    after = sweep.state()
    new = {path for path in after if path not in before}
    assert all("/reorth_window=4/" in path for path in new) and len(new) == 4
    assert before.items() <= after.items()
