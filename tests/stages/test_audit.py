"""audit A B: the verdict on each artifact, in three formats, and the exit status that goes with it."""

import csv
import io
import json
import shutil

import h5py
import pytest
from stage_runs import error_line, make, run

DIFFERENT, DAMAGED = 1, 2
NAMES = ("model.h5", "operator.h5", "lanczos.h5", "ritz.h5", "metrics.json")


@pytest.fixture(scope="module")
def tree(good, tmp_path_factory):
    """A results tree of one cell."""
    folder = tmp_path_factory.mktemp("a")
    for name in NAMES[:-1]:
        shutil.copy(good.folder / name, folder)
    make(folder / "metrics.json", "metrics", "--ritz", good.ritz)
    (folder / "provenance.json").write_text("{}")
    return folder


@pytest.fixture
def other(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "b")


def verdicts(tree, other, *flags):
    done = run("audit", tree, other, "--format", "json", *flags)
    return done, {record["artifact"]: record for record in json.loads(done.stdout)}


def change(path, edit):
    """The file as a user's script would change it: without digests."""
    path.write_bytes(bytes(512) + path.read_bytes()[512:])
    with h5py.File(path, "r+") as file:
        del file.attrs["content_sha256"]
        edit(file)


def nudge(file):
    file["residuals"][0] *= 1 + 1e-7


def test_copies_have_the_same_bytes(tree, other):
    (other / "provenance.json").write_text('{"of": "circumstance"}')
    done, found = verdicts(tree, other)
    assert done.returncode == 0
    assert {name: record["verdict"] for name, record in found.items()} == dict.fromkeys(NAMES, "same bytes")


def test_a_second_run_has_the_same_content(good, tree, other):
    pair = ("--operator", good.operator, "--lanczos", good.lanczos)
    make(other / "ritz.h5", "ritz-residuals", *pair, "--quiet")  # another command line
    done, found = verdicts(tree, other)
    assert done.returncode == 0 and found["ritz.h5"]["verdict"] == "same content"


def test_a_deviation_is_measured_and_judged_by_rtol(tree, other):
    change(other / "ritz.h5", nudge)
    done, found = verdicts(tree, other, "--rtol", 1e-6)
    assert done.returncode == 0 and found["ritz.h5"]["verdict"] == "within tolerance"
    (deviation,) = found["ritz.h5"]["deviations"]
    assert deviation["quantity"] == "residuals" and deviation["where"].startswith("[0]: ")
    with h5py.File(tree / "ritz.h5") as file:
        residuals = file["residuals"][:]
    assert deviation["absolute"] == pytest.approx(1e-7 * residuals[0], rel=1e-6)
    assert deviation["relative"] == pytest.approx(1e-7 * residuals[0] / residuals.max(), rel=1e-6)
    done, found = verdicts(tree, other, "--rtol", 0)
    assert done.returncode == DIFFERENT and found["ritz.h5"]["verdict"] == "different"
    assert "1 of 5 artifacts differ beyond --rtol 0" in error_line(done)


def test_missing_artifacts_count_unless_b_is_a_part(tree, other):
    (other / "lanczos.h5").unlink()
    done, found = verdicts(tree, other)
    assert done.returncode == DIFFERENT and found["lanczos.h5"]["verdict"] == "missing"
    done, found = verdicts(tree, other, "--subset")
    assert done.returncode == 0 and "lanczos.h5" not in found


def test_damaged_artifact_is_an_error_and_no_verdict(tree, other):
    with (other / "ritz.h5").open("ab") as file:
        file.write(b"x")
    done = run("audit", tree, other)
    assert done.returncode == DAMAGED and "ritz.h5: the bytes do not match" in error_line(done)


def test_tables_name_what_differs(tree, other):
    change(other / "ritz.h5", nudge)
    rows = {
        row["artifact"]: row
        for row in csv.DictReader(io.StringIO(run("audit", tree, other, "--format", "csv").stdout))
    }
    assert rows["ritz.h5"]["verdict"] == "different" and rows["ritz.h5"]["quantity"] == "residuals"
    with h5py.File(tree / "lanczos.h5") as file:
        assert rows["lanczos.h5"]["content_sha256"] == file.attrs["content_sha256"]
    text = run("audit", tree, other).stdout
    assert "| different | 1 |" in text and "| ritz.h5 | different | residuals |" in text
    assert "| lanczos.h5 |" not in text


def test_what_cannot_be_compared_is_said(tree, tmp_path):
    assert "no such file or folder" in error_line(run("audit", tree, tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty2").mkdir()
    assert "hold no artifacts" in error_line(run("audit", tmp_path / "empty", tmp_path / "empty2"))
    assert "is a folder, the other a file" in error_line(run("audit", tree, tree / "ritz.h5"))


def test_validate_checks_ritz_against_its_lanczos_file(tree, other):
    done = run("validate", other / "lanczos.h5", other / "ritz.h5")
    assert done.returncode == 0, done.stdout

    def shift(file):
        file["eigenvalues"][0] += 1e-3
        file["intervals"][0] += 1e-3

    change(other / "ritz.h5", shift)
    assert run("validate", other / "ritz.h5").returncode == 0  # alone it is consistent
    done = run("validate", other / "ritz.h5", other / "lanczos.h5")
    assert done.returncode == 2 and "is no eigenvalue of 'H' in" in done.stdout
