"""audit A B: the verdict on each artifact, in three formats, and the exit status that goes with it."""

import csv
import io
import json
import os
import re
import shutil
import subprocess

import h5py
import pytest
from stage_runs import command, error_line, make, run

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


def damage_a_digest(path):
    with path.open("ab") as file:
        file.write(b"x")


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def link_to_nothing(path):
    path.unlink()
    path.symlink_to("gone.h5")


def link_to_what_cannot_be_read(path):
    path.unlink()
    path.symlink_to("/proc/self/mem")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "harm", "reason"),
    [
        ("ritz.h5", damage_a_digest, "the bytes do not match the SHA-256"),
        ("ritz.h5", cut, "is damaged or not an HDF5 file|the bytes do not match"),
        ("metrics.json", cut, "is not valid JSON"),
        ("ritz.h5", link_to_nothing, "is a link to nothing that can be found"),
        ("metrics.json", link_to_nothing, "is a link to nothing that can be found"),
        ("ritz.h5", link_to_what_cannot_be_read, "not an HDF5 file|Input/output error"),
        ("metrics.json", link_to_what_cannot_be_read, "is not valid JSON|cannot be read"),
        ("ritz.h5", pipe, "is a pipe"),
        ("metrics.json", pipe, "expected a regular file"),
    ],
)
def test_a_damaged_artifact_has_its_verdict_and_hides_no_other(tree, other, name, harm, reason):
    harm(other / name)
    change(other / "operator.h5", lambda file: file.attrs.update(n_params=7))
    (other / "lanczos.h5").unlink()
    done, found = verdicts(tree, other)
    assert done.returncode == DAMAGED
    assert "1 of 5 artifacts are damaged or cannot be read, 1 differ beyond --rtol" in error_line(done)
    expected = {**dict.fromkeys(NAMES, "same bytes"), "operator.h5": "different", "lanczos.h5": "missing"}
    assert {key: record["verdict"] for key, record in found.items()} == {**expected, name: "damaged"}
    (note,) = found[name]["notes"]
    assert str(other / name) in note and re.search(reason, note)


def test_a_damaged_artifact_is_one_in_every_format(tree, other):
    damage_a_digest(other / "ritz.h5")
    text = run("audit", tree, other).stdout
    assert "| damaged | 1 |" in text and "| ritz.h5 | damaged |" in text and "the bytes do not match" in text
    done = run("audit", tree, other, "--format", "csv")
    rows = {row["artifact"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert done.returncode == DAMAGED and rows["ritz.h5"]["verdict"] == "damaged"
    assert "the bytes do not match" in rows["ritz.h5"]["where"] and len(rows) == len(NAMES)


def test_damage_counts_in_either_tree_in_both_and_where_the_other_lacks_the_file(tree, other, tmp_path):
    damage_a_digest(other / "ritz.h5")
    assert verdicts(other, tree)[1]["ritz.h5"]["verdict"] == "damaged"
    found = verdicts(other, shutil.copytree(other, tmp_path / "c"))[1]["ritz.h5"]
    assert found["verdict"] == "damaged" and len(found["notes"]) == 2
    (tmp_path / "c" / "ritz.h5").unlink()
    found = verdicts(other, tmp_path / "c")[1]["ritz.h5"]
    assert found["verdict"] == "damaged" and found["notes"][1] == f"not in {tmp_path / 'c'}"
    done = run("audit", other / "ritz.h5", tree / "ritz.h5", "--format", "json")
    assert done.returncode == DAMAGED and json.loads(done.stdout)[0]["verdict"] == "damaged"


def test_two_cut_files_of_the_same_bytes_are_damaged(tree, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text('{"k": ')
    done, found = verdicts(tmp_path / "a", tmp_path / "b")
    assert done.returncode == DAMAGED and found["metrics.json"]["verdict"] == "damaged"


def test_folders_behind_links_are_compared_and_circles_end(tree, tmp_path):
    for name in "ab":
        cells = tmp_path / name / "cells"
        cells.mkdir(parents=True)
        (cells / "one").symlink_to(tree)
        (cells / "loop").symlink_to("..")
    done, found = verdicts(tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0 and set(found) == {f"cells/one/{name}" for name in NAMES}
    (tmp_path / "b" / "cells" / "one").unlink()
    (tmp_path / "b" / "cells" / "one").symlink_to("gone")
    done, found = verdicts(tmp_path / "a", tmp_path / "b")
    assert done.returncode == DAMAGED and {record["verdict"] for record in found.values()} == {"damaged"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_what_may_not_be_read_is_damaged(tree, other):
    (other / "ritz.h5").chmod(0)
    done, found = verdicts(tree, other)
    assert done.returncode == DAMAGED and found["ritz.h5"]["verdict"] == "damaged"


def test_names_may_be_any_bytes(tree, other):
    shutil.copy(tree / "metrics.json", os.fsencode(other) + b"/b|\xff.json")
    for form in ("csv", "json"):
        done = subprocess.run(command("audit", other, other, "--format", form), capture_output=True)
        assert done.returncode == 0 and b"error" not in done.stderr, done.stderr
    done = subprocess.run(command("audit", tree, other), capture_output=True)
    assert done.returncode == DIFFERENT and b"| b\\|\xff.json | missing |" in done.stdout


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


def test_validate_walks_folders(tree, other, tmp_path):
    done = run("validate", other)
    assert done.returncode == 0
    assert sorted(line.split(":")[0] for line in done.stdout.splitlines()) == sorted(
        str(other / name) for name in NAMES if name.endswith(".h5")
    )
    damage_a_digest(other / "operator.h5")
    (other / "deep").mkdir()
    (other / "deep" / "data.h5").symlink_to("gone")
    done = run("validate", other)
    assert done.returncode == 2
    assert f"{other}/operator.h5: the bytes do not match" in done.stdout
    assert f"{other}/deep/data.h5: is a link to nothing" in done.stdout
    assert f"{other}/ritz.h5: ok" in done.stdout  # what comes behind is checked
    assert error_line(done).count(str(other)) == 2
    (tmp_path / "empty").mkdir()
    assert "holds no artifacts" in error_line(run("validate", tmp_path / "empty"))


def test_validate_checks_ritz_against_its_lanczos_file(tree, other):
    done = run("validate", other / "lanczos.h5", other / "ritz.h5")
    assert done.returncode == 0, done.stdout

    def shift(file):
        file["eigenvalues"][0] += 1e-3
        file["intervals"][0] += 1e-3

    change(other / "ritz.h5", shift)
    assert run("validate", other / "ritz.h5").returncode == 0  # alone it is consistent
    done = run("validate", other / "ritz.h5", other / "lanczos.h5")
    assert done.returncode == 2 and "is not an eigenvalue of 'H' in" in done.stdout


def test_files_of_different_formats_are_called_so(tree):
    done = run("audit", tree / "lanczos.h5", tree / "ritz.h5")
    assert done.returncode == 1 and "different formats: ritzflow-lanczos and ritzflow-ritz" in done.stdout
