"""The tiny sweep with other operators: K-FAC, blocks by layer, one that fails, and a file that is refused."""

import json
import re

import h5py
import pytest
from tiny_sweep import changed, snakemake, table_rows


def test_bad_sweep_file_is_refused_before_any_job(tmp_path):
    status, said = snakemake(tmp_path, "--configfile", changed(tmp_path, lanczos={"max_iter": 3}))
    assert status == 2
    assert "unknown key 'max_iter' in 'lanczos'; did you mean 'max_iters'?" in said
    assert "Traceback" not in said and not (tmp_path / "results").exists()


def test_failed_stage_shows_its_error_and_the_table_counts_its_cells(tmp_path):
    config = changed(tmp_path, operators={"ggn": {}, "nothing": {"kind": "ggn", "memory": "1KiB"}})
    status, said = snakemake(tmp_path, "--configfile", config, "--retries", 0)
    assert status == 1 and "error: " in said
    missing = {row["operator"]: row["missing"] for row in table_rows(tmp_path / "results" / "tiny")}
    assert missing == {"ggn": "0", "nothing": "2"}


def test_snakemake_lint_finds_nothing(tmp_path):
    status, said = snakemake(tmp_path, "--lint")
    assert status == 0 and re.findall(r"^    \* (.*):$", said, flags=re.M) == []


@pytest.fixture(scope="module")
def kfac_results(tmp_path_factory):
    """A sweep of the two K-FAC operators on one seed and mode."""
    folder = tmp_path_factory.mktemp("kfac")
    config = changed(
        folder,
        seeds=[0],
        operators={
            "ggn": {},
            "kfac": {},
            "reduced": {"kind": "ekfac", "kfac_approx": "reduce", "fisher_type": "mc"},
        },
        reorth_modes=["full"],
    )
    status, said = snakemake(folder, "--configfile", config)
    assert status == 0, said[-4000:]
    return folder / "results" / "tiny"


def test_kfac_cells_run_and_the_table_says_how_good_they_are(kfac_results):
    rows = {row["operator"]: row for row in table_rows(kfac_results)}
    assert rows["ggn"]["kfac_error_mean"] == ""
    for name in ("kfac", "reduced"):
        place = kfac_results / "cells" / "digits_mlp" / "seed0" / "step20" / name
        said = json.loads((place / "comparison.json").read_text())
        assert float(rows[name]["coverage_mean"]) == 1
        assert float(rows[name]["closed_form_error_max"]) < 1e-6
        for quantity in ("kfac_error", "overlap"):
            assert 0 < float(rows[name][f"{quantity}_mean"]) < 1
            assert float(rows[name][f"{quantity}_mean"]) == pytest.approx(said[quantity])
    with h5py.File(place / "kfac.h5") as file:
        assert (file.attrs["kfac_approx"], file.attrs["fisher_type"]) == ("reduce", "mc")


def test_per_layer_spectra_are_those_of_the_principal_sub_blocks(tmp_path):
    """hessian cut into layers: a cell and a row for each, equal to the filtered operator by name."""
    config = changed(
        tmp_path,
        seeds=[0],
        operators={
            "hessian": {"dtype_compute": "float64", "blocks": "per_layer"},
            "modules": {
                "kind": "ggn",
                "blocks": "per_module",
                "regularization_mode": "fixed",
                "regularization": 0.5,
            },
            "first": {"kind": "hessian", "dtype_compute": "float64", "params_filter": ["layers.0.*"]},
        },
        reorth_modes=["full"],
    )
    status, said = snakemake(tmp_path, "--configfile", config)
    assert status == 0, said[-4000:]
    rows = {(row["operator"], row["block"]): row for row in table_rows(tmp_path / "results" / "tiny")}
    layers = ["layers.0", "layers.1"]
    assert set(rows) == {(op, b) for op in ("hessian", "modules") for b in layers} | {("first", "")}
    assert all(row["n"] == "1" for row in rows.values())
    assert rows["hessian", "layers.0"]["lambda_max_mean"] == rows["first", ""]["lambda_max_mean"]
    assert rows["hessian", "layers.1"]["lambda_max_mean"] != rows["first", ""]["lambda_max_mean"]
    text = (tmp_path / "results" / "tiny" / "tables" / "ablation.md").read_text()
    assert "hessian layers.1" in text
    for record in (tmp_path / "results" / "tiny").glob("cells/**/metrics.json"):
        applied = json.loads(record.read_text())["regularization_applied"]
        assert applied == (0.5 if "modules" in str(record) else 0), record
