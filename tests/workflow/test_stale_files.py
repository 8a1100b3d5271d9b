"""Files that are other ones than before: damaged, replaced, a user's own; and how records are compared."""

import json
import os
import shutil

import chain
import h5py
import pytest
from chained_sweep import compare, downstream, own_reasons, resolved

from ritzflow.sweep import recorded, stale, summaries


def test_an_artifact_of_another_cell_in_its_place_is_found(results):
    """A copy that says of itself all that it should, but was made from another operator."""
    there, here = (results / f"cells/a/seed{s}/step5/hessian/full/probe0/lanczos.h5" for s in (1, 0))
    shutil.copy(there, here)
    found = compare(results)
    assert own_reasons(found) == {str(here.relative_to(results)): "was made from another operator"}


def test_weights_that_came_out_differently_are_no_longer_those_of_a_cell(results):
    """Trained again, with other bits: what was kept for the same settings does not stand."""
    with h5py.File(results / "cells/a/seed0/model.h5", "r+") as file:
        file["steps/00000005"].attrs["sha256"] = "other"
    own = own_reasons(compare(results))
    assert set(own.values()) == {"was made from another model"}
    assert {path.split("/")[3] for path in own} == {"step5"}


def test_a_damaged_file_is_a_reason_and_no_traceback(results):
    path = results / "cells/a/seed0/step5/hessian/full/probe0/ritz.h5"
    path.write_bytes(path.read_bytes()[:100])
    metrics = results / "cells/a/seed0/step5/hessian/auto/probe0/metrics.json"
    metrics.write_text("{")
    own = own_reasons(compare(results))
    assert len(own) == 2 and all(reason.startswith("cannot be read (") for reason in own.values())


@pytest.fixture
def with_file(results, tmp_path, monkeypatch):
    """data/a.h5 was made from mine.npz."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_bytes(b"one")
    digest = stale.UserFiles({})("mine.npz")
    with h5py.File(results / "data/a.h5", "r+") as file:
        file["provenance"].attrs["files"] = json.dumps({"mine.npz": digest})
    return results


def test_a_users_file_counts_by_content(with_file, tmp_path):
    os.utime(tmp_path / "mine.npz", (1, 1))
    assert compare(with_file).reasons == {}
    (tmp_path / "mine.npz").write_bytes(b"two")
    os.utime(tmp_path / "mine.npz", (1, 1))  # an older file, as `cp -p` or git leave it
    found = compare(with_file)
    assert own_reasons(found) == {"data/a.h5": "mine.npz has other contents"}
    assert set(found.reasons) == downstream("data/a.h5")


def test_a_users_file_that_is_gone_counts_for_a_run_but_not_for_readers(with_file, tmp_path):
    (tmp_path / "mine.npz").unlink()
    assert own_reasons(compare(with_file)) == {"data/a.h5": "mine.npz is gone"}
    assert compare(with_file, may_be_gone=True).reasons == {}


def test_a_users_file_is_read_once_for_each_size_date_and_inode(tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(stale.made_with, "sha256", lambda path: reads.append(path) or "digest")
    (tmp_path / "x").write_text("x")
    files = stale.UserFiles({})
    assert [files(str(tmp_path / "x")) for _ in range(3)] == ["digest"] * 3 and len(reads) == 1
    again = stale.UserFiles(json.loads(json.dumps(files.known)))
    assert again(str(tmp_path / "x")) == "digest" and len(reads) == 1
    (tmp_path / "y").write_text("y")
    os.replace(tmp_path / "y", tmp_path / "x")
    assert files(str(tmp_path / "x")) == "digest" and len(reads) == 2


def test_a_file_more_in_a_users_folder_counts(results, tmp_path, monkeypatch):
    """An image more, far below the folder that was named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").write_text("1")
    monkeypatch.setattr(stale.made_with, "_noted", {})
    stale.made_with.note("images")
    with h5py.File(results / "data/a.h5", "r+") as file:
        file["provenance"].attrs["files"] = json.dumps(stale.made_with._noted)
    known = {}
    assert stale.compare(results, resolved(), chain.ALGORITHMS, stale.UserFiles(known)).reasons == {}
    (tmp_path / "images" / "cat" / "2.png").write_text("2")
    found = stale.compare(results, resolved(), chain.ALGORITHMS, stale.UserFiles(known))
    assert own_reasons(found) == {"data/a.h5": "images has other contents"}
    assert set(known) == {"images/cat/1.png"}


def test_records_are_remembered_until_the_file_is_another(results):
    memory = recorded.Memory({})
    assert compare(results, read=memory.read).reasons == {}
    memory = recorded.Memory(json.loads(json.dumps(memory.known)))
    assert compare(results, read=memory.read).reasons == {}
    model = results / "cells/a/seed0/model.h5"
    shutil.copy(results / "cells/a/seed1/model.h5", model)
    assert own_reasons(compare(results, read=memory.read))["cells/a/seed0/model.h5"] == "seed was 1"


def test_numbers_are_compared_as_numbers():
    said = recorded.flags(
        "lanczos --operator o.h5 --tol 1e-6 --k 10 --keep-basis --out x", kind_of_operator=False
    )
    wanted = recorded.wanted({"tol": 1.0e-06, "k": 10, "keep_basis": True, "krylov_dim": None})
    assert said.keys() == wanted.keys() and all(recorded.same(wanted[name], said[name]) for name in said)


def test_a_summary_carries_what_it_was_made_from(results):
    config, found = resolved(), compare(results)
    assert summaries.stale(results, config, found) == set(summaries.CODE)
    for kind, files in summaries.CARRIERS.items():
        for name in files:
            (results / name).parent.mkdir(exist_ok=True)
            (results / name).write_text(summaries.made_from(kind, config, found))
    (results / "tables/cells.csv").write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with (results / "tables/ablation.csv").open("a") as table:
        table.write(empty)
    assert summaries.stale(results, config, found) == set()
    (results / "tables/cells.csv").write_text("edited")
    assert summaries.stale(results, config, found) == {"tables", "report"}
    fewer = resolved(lambda raw: raw.update(seeds=[0]))
    assert summaries.stale(results, fewer, compare(results, fewer)) == set(summaries.CODE)


@pytest.mark.parametrize(
    "wanted, was, same",
    [
        (1e-6, "1e-6", True),
        (1e-6, "1.0e-06", True),
        (0, "0", True),
        (2, "2.0", True),
        (2**53, str(2**53 + 1), False),
        ("1", "01", False),
        ("nan", "nan", True),
        ("10", "1_0", False),
        ([1, 2], ["1", "2"], True),
        (["a"], "a", True),
        (True, True, True),
        (None, "x", False),
    ],
)
def test_a_setting_is_the_word_that_was_recorded_or_it_is_not(wanted, was, same):
    assert recorded.same(wanted, was) is same


@pytest.mark.parametrize("text", ["[]", "null", "3", "{}"])
def test_a_record_that_is_none_is_a_reason_and_no_traceback(results, text):
    metrics = results / "cells/a/seed0/step5/hessian/auto/probe0/metrics.json"
    metrics.write_text(text)
    assert own_reasons(compare(results)).keys() == {str(metrics.relative_to(results))}
