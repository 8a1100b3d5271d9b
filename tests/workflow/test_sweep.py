"""The whole tiny sweep through Snakemake and the stage binaries of `make build`, checked with numpy."""

import csv
import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from scripts_under_test import ROOT
from tiny_sweep import TINY, changed, planned, snakemake, table_rows

CELLS = 2 * 2 * 3  # seeds, operators, modes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    status, said = snakemake(folder, "--configfile", TINY)
    assert status == 0, said[-4000:]
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return folder / "results" / "tiny"


def cell_folders(results):
    return sorted(path.parent for path in (results / "cells").rglob("metrics.json"))


def test_every_cell_and_product_exists(results):
    assert len(cell_folders(results)) == CELLS
    for place in cell_folders(results):
        assert {p.name for p in place.iterdir()} == {"lanczos.h5", "ritz.h5", "metrics.json"}
    for name in ("tables/ablation.csv", "tables/ablation.md", "tables/ablation.tex", "figures/overview.png"):
        assert (results / name).stat().st_size > 0
    assert "data:image/svg+xml" in (results / "report.html").read_text()


def test_nothing_is_written_outside_results(folder):
    assert {path.name for path in folder.iterdir()} == {"results", ".snakemake"}


def test_finished_runs_leave_no_checkpoint_and_no_folder_of_one(folder):
    assert {path.name for path in (folder / "results").iterdir()} == {"tiny"}


def test_factorisation_holds_the_ritz_values(results):
    """Every returned value is near an eigenvalue of H, to a float32 product's rounding, in every mode."""
    for place in cell_folders(results):
        with h5py.File(place / "lanczos.h5") as lanczos, h5py.File(place / "ritz.h5") as ritz:
            theta = np.linalg.eigvals(lanczos["H"][:]).real
            for value in ritz["eigenvalues"][:]:
                assert np.abs(theta - value).min() <= 1e-6 * np.abs(theta).max(), place


def top_k(place):
    return np.array(json.loads((place / "metrics.json").read_text())["eigenvalues"])


def half_widths(place, wanted):
    with h5py.File(place / "ritz.h5") as ritz:
        rows = [np.argmin(np.abs(ritz["eigenvalues"][:] - value)) for value in wanted]
        return np.diff(ritz["intervals"][:][rows])[:, 0] / 2


def independent(results, operator, mode):
    """Quantities of a table row by numpy from the files of its cells."""
    values = {"lambda_max": [], "wrong_of_top_k": [], "max_residual": [], "orthogonality_loss": []}
    for place in sorted(results.glob(f"cells/digits_mlp/seed*/step20/{operator}/{mode}/probe0")):
        full = place.parents[1] / "full" / "probe0"
        theta, reference = top_k(place), top_k(full)
        wrong = np.abs(theta - reference) > np.maximum(1e-6 * np.abs(reference), half_widths(full, reference))
        values["wrong_of_top_k"].append(wrong.sum())
        values["lambda_max"].append(theta.max())
        with h5py.File(place / "ritz.h5") as ritz, h5py.File(place / "lanczos.h5") as lanczos:
            rows = [np.argmin(np.abs(ritz["eigenvalues"][:] - value)) for value in theta]
            values["max_residual"].append(ritz["residuals"][:][rows].max())
            basis = lanczos["basis"][:].astype(float)
            values["orthogonality_loss"].append(np.abs(np.tril(basis @ basis.T, -1)).max())
    return values


def test_table_matches_an_independent_computation(results):
    rows = table_rows(results)
    assert len(rows) == 6
    for row in rows:
        assert (row["n"], row["missing"]) == ("2", "0")
        for name, values in independent(results, row["operator"], row["reorth_mode"]).items():
            expected = [np.mean(values), np.std(values, ddof=1), np.max(values)]
            found = [float(row[f"{name}_{kind}"]) for kind in ("mean", "sd", "max")]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-14, err_msg=f"{name} {row}")


def test_full_mode_is_right_and_converged(results):
    for row in table_rows(results):
        if row["reorth_mode"] == "full":
            assert float(row["wrong_of_top_k_max"]) == 0 and float(row["naive_ghosts_max"]) == 0
            assert float(row["max_relative_residual_max"]) < 1e-5
            assert float(row["orthogonality_loss_max"]) < 1e-12


def test_second_run_does_nothing(folder):
    status, said = snakemake(folder, "--configfile", TINY)
    assert status == 0 and "Nothing to be done" in said


def test_changed_tolerance_reruns_lanczos_and_what_is_behind_it(folder, tmp_path):
    config = changed(tmp_path, lanczos={"k": 4, "max_iters": 40, "tol": 1e-7, "keep_basis": True})
    _, said = snakemake(folder, "--configfile", config, "--dry-run", "--quiet", "host")
    jobs = planned(said)
    assert jobs["lanczos"] == jobs["ritz_residuals"] == jobs["metrics"] == CELLS
    assert not {"prepare_data", "train_model", "build_operator"} & set(jobs)


def test_changed_regularisation_reruns_no_product(folder, tmp_path):
    ggn = {"regularization_mode": "relative", "regularization": 1e-3}
    config = changed(tmp_path, operators={"hessian": {"dtype_compute": "float64"}, "ggn": ggn})
    _, said = snakemake(folder, "--configfile", config, "--dry-run", "--quiet", "host")
    jobs = planned(said)
    assert jobs["metrics"] == CELLS / 2
    assert not {"build_operator", "lanczos", "ritz_residuals"} & set(jobs)


def test_added_seed_runs_only_its_own_cells(folder, tmp_path):
    _, said = snakemake(
        folder, "--configfile", changed(tmp_path, seeds=[0, 1, 2]), "--dry-run", "--quiet", "host"
    )
    jobs = planned(said)
    assert (jobs["train_model"], jobs["build_operator"], jobs["lanczos"]) == (1, 2, 6)
    assert "prepare_data" not in jobs


def test_moved_checkpoint_root_reruns_nothing(folder):
    root = "checkpoint_root='elsewhere'"
    status, said = snakemake(folder, "--configfile", TINY, "--default-resources", root)
    assert status == 0 and "Nothing to be done" in said


def test_deleted_cell_is_made_again_with_the_same_bits(folder, results):
    place = cell_folders(results)[0]
    before = {name: h5py.File(place / name).attrs["content_sha256"] for name in ("lanczos.h5", "ritz.h5")}
    for path in place.iterdir():
        path.unlink()
    status, said = snakemake(folder, "--configfile", TINY)
    assert status == 0, said[-4000:]
    after = {name: h5py.File(place / name).attrs["content_sha256"] for name in before}
    assert after == before


def test_provenance_sums_up_every_artifact(results):
    provenance = json.loads((results / "provenance.json").read_text())
    names = {record["artifact"] for record in provenance["artifacts"]}
    assert names == {str(path.relative_to(results)) for path in results.rglob("*.h5")}
    assert provenance["summary"]["artifacts"] == len(names) and provenance["summary"]["libraries"]
    lanczos = next(r for r in provenance["artifacts"] if r["format"] == "ritzflow-lanczos")
    digests = {r["content_sha256"] for r in provenance["artifacts"]}
    assert {"operator.h5", "model.h5"} < {Path(name).name for name in lanczos["inputs"]}
    assert set(lanczos["inputs"].values()) <= digests
    assert lanczos["attempts"] == 1 and lanczos["libraries"]["libtorch"]


def test_ro_crate_names_every_file_with_its_digest_and_every_run(folder, results):
    status, said = snakemake(folder, "ro_crate", "--configfile", TINY)
    assert status == 0, said[-3000:]
    graph = json.loads((results / "ro-crate-metadata.json").read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert entities["ro-crate-metadata.json"]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    assert entities[entities["./"]["license"]["@id"]]["name"] == "MIT License"
    for part in entities["./"]["hasPart"]:
        digest = hashlib.sha256((results / part["@id"]).read_bytes()).hexdigest()
        assert entities[part["@id"]]["sha256"] == digest
    runs = [entity for entity in graph if entity["@type"] == "CreateAction"]
    made = {run["result"][0]["@id"] for run in runs}
    assert {str(p.relative_to(results)) for p in (results / "cells").rglob("lanczos.h5")} <= made
    assert all(entry["@id"] in entities for run in runs for entry in run["object"])


def test_audit_runs_cells_again_and_finds_the_same_bits(folder, results):
    status, said = snakemake(folder, "audit", "--set-resources", "audit:cells=2", "--configfile", TINY)
    assert status == 0, said[-3000:]
    table = list(csv.DictReader((results / "audit" / "reproducibility.csv").open()))
    assert len(table) == 2 and {row["verdict"] for row in table} <= {"same bytes", "same content"}
    traced = {row["ritz_sha256"] for row in csv.DictReader((results / "tables" / "cells.csv").open())}
    assert {row["ritz_sha256"] for row in table} <= traced


def digests(results):
    """content_sha256 by path below the results."""
    paths = [path for path in results.rglob("*.h5") if "audit" not in path.parts]
    return {str(path.relative_to(results)): h5py.File(path).attrs["content_sha256"] for path in paths}


def test_spaces_quotes_unicode_and_links_in_every_path_change_no_bit(results, tmp_path):
    """In those of the project, the results, the sweep file and the checkpoints."""
    odd = tmp_path / "Läufe – 'größer' \"als\" $HOME; {input} 1"
    odd.mkdir()
    link = tmp_path / "link to it"
    link.symlink_to(odd)
    project = odd / "the project"
    project.symlink_to(ROOT)
    config = changed(odd, seeds=[0], operators={"ggn": {}}, reorth_modes=["full"])
    root = "checkpoint_root='check points {x} é'"
    status, said = snakemake(
        link, "--snakefile", project / "Snakefile", "--configfile", config, "--default-resources", root
    )
    assert status == 0, said[-4000:]
    assert {path.name for path in odd.iterdir()} == {project.name, config.name, "results", ".snakemake"}
    found, plain = digests(odd / "results" / "tiny"), digests(results)
    assert len(found) >= 5 and found.items() <= plain.items()
    status, said = snakemake(link, "audit", "--snakefile", project / "Snakefile", "--configfile", config)
    assert status == 0, said[-4000:]
    audited = (odd / "results" / "tiny" / "audit" / "reproducibility.csv").read_text()
    assert "same" in audited and "different" not in audited
