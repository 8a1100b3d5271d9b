"""The tables against an independent computation from synthetic cells; missing cells; figures' bytes."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import synthetic
from scripts_under_test import SCRIPTS

from ritzflow.sweep import stale, sweep_config
from ritzflow.tables import cell_records

SWEEP = {
    "name": "s",
    "models": {
        "m_1": {
            "data": {"source": "digits"},
            "architecture": {"kind": "mlp"},
            "training": {"steps": 10, "learning_rate": 0.1},
            "steps": [5, "final"],
        }
    },
    "seeds": [0, 1, 2],
    "probes": [0, 1],
    "operators": {"hessian": {}},
    "reorth_modes": ["full", "off"],
    "lanczos": {"k": synthetic.K},
}


def missing(cell):
    """Both probes of one seed, and nothing at all of mode off at step 10."""
    off = cell["reorth_mode"] == "off"
    return off and (cell["step"] == 10 or cell["seed"] == 1)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    results = tmp_path_factory.mktemp("s")
    config = sweep_config.resolve(SWEEP, "sweep")
    (results / "sweep.json").write_text(json.dumps(config))
    synthetic.write(results, config, missing)
    return results


@pytest.fixture(scope="module")
def results(pristine, tmp_path_factory):
    """The same with its tables, figures and report, each written twice: the bytes must not differ."""
    folder = tmp_path_factory.mktemp("made") / "s"
    shutil.copytree(pristine, folder)
    written = []
    for _ in range(2):
        for name in ("ablation_table.py", "figures.py", "report.py"):
            subprocess.run([sys.executable, SCRIPTS / name, folder], check=True)
        written.append({path.name: path.read_bytes() for path in products(folder)})
    assert written[0] == written[1]
    return folder


def products(folder):
    return [
        *sorted((folder / "tables").iterdir()),
        *sorted((folder / "figures").iterdir()),
        folder / "report.html",
    ]


def rows(results):
    lines = (results / "tables" / "ablation.csv").read_text().splitlines()
    return list(csv.DictReader(io.StringIO("\n".join(line for line in lines if not line.startswith("#")))))


def row(results, step, mode):
    found = [r for r in rows(results) if (r["step"], r["reorth_mode"]) == (str(step), mode)]
    assert len(found) == 1
    return found[0]


def independent(results, step, mode):
    """Four quantities of each cell, from the HDF5 files alone."""
    values = {"lambda_max": [], "wrong_of_top_k": [], "max_residual": [], "orthogonality_loss": []}
    for place in sorted(results.glob(f"cells/m_1/seed*/step{step}/hessian/{mode}/probe*")):
        with (
            h5py.File(place / "ritz.h5") as own,
            h5py.File(place.parents[1] / "full" / place.name / "ritz.h5") as full,
        ):
            theta, reference = own["eigenvalues"][:], full["eigenvalues"][:]
            slack = np.diff(full["intervals"][:])[:, 0] / 2
            off = np.abs(theta - reference) > np.maximum(1e-6 * np.abs(reference), slack)
            values["lambda_max"].append(theta[0])
            values["wrong_of_top_k"].append(off.sum())
            values["max_residual"].append(own["residuals"][:].max())
            values["orthogonality_loss"].append(own["orthogonality_loss"][:].max())
    return values


@pytest.mark.parametrize("mode", ["full", "off"])
def test_means_spreads_and_maxima_match_numpy(results, mode):
    found = row(results, 5, mode)
    for name, values in independent(results, 5, mode).items():
        assert float(found[f"{name}_mean"]) == pytest.approx(np.mean(values), rel=1e-14)
        assert float(found[f"{name}_sd"]) == pytest.approx(np.std(values, ddof=1), rel=1e-12)
        assert float(found[f"{name}_max"]) == np.max(values)


def test_copies_in_the_naive_list_count_as_wrong(results):
    assert float(row(results, 5, "off")["naive_wrong_of_top_k_mean"]) >= 2
    assert float(row(results, 5, "full")["naive_wrong_of_top_k_max"]) == 0


def test_wrong_is_counted_entry_by_entry():
    reference = {"eigenvalues": [4.0, 3.0, 2.0], "intervals": np.array([[4, 4], [2.9, 3.1], [2, 2]])}
    assert cell_records.wrong([4.0, 3.05, 2.0], reference) == 0
    assert cell_records.wrong([4.0, 4.0, 3.0], reference) == 2
    assert cell_records.wrong([4.00001, 3.0], reference) == 2
    assert cell_records.wrong([4.0], None) is None


def test_outside_counts_intervals_that_miss_the_reference():
    reference = {"eigenvalues": [4.0, 3.0, 2.0], "intervals": np.array([[4, 4], [2.9, 3.1], [2, 2]])}
    honest = {"eigenvalues": [4.0, 3.0, 2.2], "intervals": np.array([[4, 4], [3, 3], [1.9, 2.5]])}
    proud = {"eigenvalues": [4.0, 3.2, 2.2], "intervals": np.array([[4, 4], [3.15, 3.25], [2.1, 2.3]])}
    assert (
        cell_records.outside(honest, reference),
        cell_records.wrong(honest["eigenvalues"], reference),
    ) == (0, 1)
    assert cell_records.outside(proud, reference) == 2


def test_wall_seconds_come_from_the_benchmark(results):
    assert float(row(results, 5, "full")["wall_seconds_mean"]) == pytest.approx(2.5)


def test_missing_cells_are_counted_and_their_row_stays(results):
    assert (row(results, 5, "off")["n"], row(results, 5, "off")["missing"]) == ("4", "2")
    gone = row(results, 10, "off")
    assert (gone["n"], gone["missing"], gone["lambda_max_mean"]) == ("0", "6", "")
    assert "0 of 6" in (results / "tables" / "ablation.md").read_text()
    assert "---" in (results / "tables" / "ablation.tex").read_text()
    frame = pd.read_csv(results / "tables" / "cells.csv")
    states = frame["state"].value_counts()
    assert (states["done"], states["missing"]) == (16, 8)
    reasons = frame.query("state == 'missing'")["reason"]
    assert reasons.str.fullmatch(r"cells/m_1/seed\d/step\d+/hessian/off/probe\d/lanczos.h5: missing").all()
    assert frame.query("state == 'done'")["reason"].isna().all()


def test_null_stays_empty_and_never_becomes_zero(results):
    assert row(results, 5, "off")["residual_ratio_mean"] == ""
    frame = pd.read_csv(results / "tables" / "cells.csv")
    assert frame.loc[frame["reorth_mode"] == "off", "residual_ratio"].isna().all()


def test_without_a_full_cell_wrong_is_unknown(pristine, tmp_path, script):
    folder = tmp_path / "s"
    shutil.copytree(pristine, folder, ignore=lambda path, names: ["full"] if path.endswith("hessian") else [])
    assert script("ablation_table.py", folder).returncode == 0
    assert row(folder, 5, "off")["wrong_of_top_k_mean"] == ""
    assert row(folder, 5, "off")["lambda_max_mean"] != ""


def test_rows_keep_all_axes_but_seed_and_probe_apart(results):
    assert [(r["step"], r["reorth_mode"]) for r in rows(results)] == [
        ("5", "full"), ("5", "off"), ("10", "full"), ("10", "off"),
    ]  # fmt: skip


def test_two_records_of_one_cell_are_refused(results):
    import ablation_table

    from ritzflow.common.script_cli import InputError

    config = sweep_config.of_results(results)
    records, gone = cell_records.read_all(results, config, stale.standing(results, config))
    with pytest.raises(InputError, match="two records for the cell"):
        ablation_table.cells_table([*records, records[0]], gone, config)


def test_footer_names_config_seeds_and_digests(results):
    text = (results / "tables" / "ablation.csv").read_text()
    notes = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# "))
    assert notes["config_sha256"] == sweep_config.digest(sweep_config.of_results(results))
    assert notes["seeds"] == "0 1 2; probes: 0 1"
    digest = hashlib.sha256((results / "tables" / "cells.csv").read_bytes()).hexdigest()
    assert notes["digests of every cell"].endswith(digest)
    assert "commit" in notes


def test_cells_name_the_files_they_came_from(results):
    frame = pd.read_csv(results / "tables" / "cells.csv").query("state == 'done' and reorth_mode == 'full'")
    for cell in frame.to_dict("records"):
        path = f"cells/m_1/seed{cell['seed']}/step{cell['step']}/hessian/full/probe{cell['probe']}/lanczos.h5"
        with h5py.File(results / path) as file:
            assert file.attrs["content_sha256"] == cell["lanczos_sha256"]


def test_rows_tell_how_many_of_the_wanted_pairs_converged(results):
    fewest = min(
        json.loads(path.read_text())["n_converged"]
        for path in results.glob("cells/m_1/seed*/step5/hessian/off/probe*/metrics.json")
    )
    assert row(results, 5, "off")["converged_of_k"] == f"{min(fewest, synthetic.K)}/{synthetic.K}"
    assert "| converged |" in (results / "tables" / "ablation.md").read_text()


def test_latex_escapes_names_and_has_a_label(results):
    text = (results / "tables" / "ablation.tex").read_text()
    assert r"\textit{m\_1, step 5}" in text and r"\label{tab:ritzflow-s-ablation}" in text
    lines = text[text.index(r"\toprule") : text.index(r"\bottomrule")].splitlines()
    assert {line.count("&") for line in lines if "&" in line} == {14}


def test_each_figure_is_svg_and_png(results):
    names = ("spectrum", "density", "convergence", "orthogonality", "overview")
    assert {p.name for p in (results / "figures").iterdir()} == {
        f"{n}.{s}" for n in names for s in ("svg", "png")
    }


def test_report_refers_to_no_other_file(results):
    text = (results / "report.html").read_text()
    assert ">nan<" not in text and " nan<" not in text
    assert 'src="data:image/svg+xml;base64,' in text and "http" not in text.replace("http://www.w3.org", "")


def test_where_ends_with_the_products(results, pristine, script):
    assert script("where.py", pristine).stderr.startswith("error: ")
    said = script("where.py", results).stdout
    assert "| full " in said
    assert [line.split()[0] for line in said.splitlines()[-3:]] == ["table", "figure", "report"]


def test_scripts_refuse_a_folder_that_is_no_sweep(script):
    done = script("ablation_table.py", "nowhere")
    assert (done.returncode, done.stderr) == (
        2,
        "error: nowhere: no sweep.json; expected the results folder of a sweep\n",
    )
