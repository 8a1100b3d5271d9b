"""What must be made again is decided by what artifacts say of their making: each change, and nothing else."""

import copy
import json
import os
import shutil

import chain
import h5py
import pytest

from ritzflow.sweep import artifacts, cells, plan, recorded, stale, summaries, sweep_config
from ritzflow.tables import cell_records

RAW = {
    "name": "s",
    "models": {
        name: {
            "data": {"source": "digits"},
            "architecture": {"kind": "mlp"},
            "training": {"steps": 10, "learning_rate": 0.1},
            "steps": [5, "final"],
        }
        for name in ("a", "b")
    },
    "seeds": [0, 1],
    "probes": [0, 1],
    "operators": {"hessian": {}, "kfac": {}},
    "reorth_modes": ["full", "auto"],
    "lanczos": {"k": 4},
}


def resolved(change=lambda raw: None):
    raw = copy.deepcopy(RAW)
    change(raw)
    return sweep_config.resolve(raw, "s.yaml")


MEMORY = recorded.Memory({})


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    results = tmp_path_factory.mktemp("s")
    chain.write(results, resolved())
    return results


@pytest.fixture
def results(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "s")


def compare(results, config=None, **how):
    return stale.compare(
        results, config or resolved(), chain.ALGORITHMS, stale.UserFiles({}), **{"read": MEMORY.read, **how}
    )


def own_reasons(found):
    """Reasons of the artifacts that do not stand by themselves."""
    return {path: reason for path, reason in found.reasons.items() if path not in found.consequences}


def downstream(path, config=None):
    """Every artifact that is made from this one, itself included."""
    behind = {path}
    for other, artifact in artifacts.of_sweep(config or resolved()).items():
        if behind & {p for paths in artifact.inputs.values() for p in paths}:
            behind.add(other)
    return behind


def test_a_finished_sweep_stands_as_a_whole(pristine):
    assert compare(pristine).reasons == {}


def test_dates_and_folders_decide_nothing(results, tmp_path):
    for i, path in enumerate(sorted(results.rglob("*.*"))):
        os.utime(path, (i * 1e5, i * 7919 % 1e9))
    assert compare(results).reasons == {}
    shutil.move(results, tmp_path / "elsewhere")
    assert compare(tmp_path / "elsewhere").reasons == {}


@pytest.mark.parametrize(
    "change, stages, reason",
    [
        (lambda raw: raw["lanczos"].update(tol=1e-8), {"lanczos"}, "tol was 1e-06"),
        (lambda raw: raw["lanczos"].update(k=5), {"lanczos", "compare-kfac"}, "k was 4"),
        (lambda raw: raw["lanczos"].update(reorth_window=3), {"lanczos"}, "reorth_window was not set"),
        (lambda raw: raw["lanczos"].update(certificate=False), {"lanczos"}, "no_certificate was not set"),
        (
            lambda raw: [m["training"].update(learning_rate=0.2) for m in raw["models"].values()],
            {"train-model"},
            "training.learning_rate was 0.1",
        ),
        (
            lambda raw: [m["architecture"].update(hidden=[4, 5]) for m in raw["models"].values()],
            {"train-model"},
            "architecture.hidden was 64 64",
        ),
        (
            lambda raw: [m["data"].update(split=0.5) for m in raw["models"].values()],
            {"prepare_data"},
            "split was 0.8",
        ),
        (
            lambda raw: raw["operators"].update(hessian={"dtype_compute": "float64"}),
            {"build-operator"},
            "dtype_compute was float32",
        ),
        (
            lambda raw: raw["operators"].update(hessian={"kind": "ggn"}),
            {"build-operator"},
            "operator was hessian",
        ),
        (
            lambda raw: raw["operators"].update(kfac={"kfac_approx": "reduce"}),
            {"collect-kfac"},
            "kfac_approx was not set",
        ),
        (
            lambda raw: raw["operators"].update(kfac={"regularization": 0.5}),
            {"metrics"},
            "regularization was 1e-08",
        ),
    ],
)
def test_a_changed_setting_is_named_and_nothing_upstream_is_made_again(pristine, change, stages, reason):
    config = resolved(change)
    found, every = compare(pristine, config), artifacts.of_sweep(config)
    own = own_reasons(found)
    assert {every[path].stage for path in own} == stages and set(own.values()) == {reason}
    assert set(found.reasons) == set().union(*(downstream(path, config) for path in own))


def test_an_operator_that_changes_its_kind_loses_its_comparison(pristine):
    config = resolved(lambda raw: raw["operators"].update(kfac={"kind": "ggn"}))
    found = compare(pristine, config)
    assert not any(path.endswith("comparison.json") for path in artifacts.of_sweep(config))
    assert {path for path in found.reasons if "/kfac/" in path} == {
        path for path in artifacts.of_sweep(config) if "/kfac/" in path
    }


@pytest.mark.parametrize(
    "place", ["data/a.h5", "cells/a/seed0/model.h5", "cells/a/seed1/step5/hessian/operator.h5"]
)
def test_a_missing_file_in_the_middle_takes_all_that_is_made_from_it(results, place):
    (results / place).unlink()
    found = compare(results)
    assert found.reasons[place] == "missing" and set(found.reasons) == downstream(place)
    assert plan.lines(results, found)[0].endswith(f"{place}: missing")


def test_an_artifact_of_another_cell_in_its_place_is_found(results):
    """A copy that says of itself all that it should, but was made from another operator."""
    there, here = (results / f"cells/a/seed{s}/step5/hessian/full/probe0/lanczos.h5" for s in (1, 0))
    shutil.copy(there, here)
    found = compare(results)
    assert own_reasons(found) == {str(here.relative_to(results)): "was made from another operator"}


def test_another_algorithm_version_is_named(pristine):
    algorithms = {**chain.ALGORITHMS, "ritz-residuals": 2}
    found = stale.compare(pristine, resolved(), algorithms, stale.UserFiles({}))
    assert set(own_reasons(found).values()) == {"algorithm of ritz-residuals was 1, is 2"}
    stages = {artifacts.of_sweep(resolved())[path].stage for path in found.reasons}
    assert stages == {"ritz-residuals", "metrics"}


def test_a_step_more_trains_again_and_measures_that_step_alone(pristine):
    config = resolved(lambda raw: [m.update(steps=[0, 5, "final"]) for m in raw["models"].values()])
    found = compare(pristine, config)
    assert set(own_reasons(found).values()) == {"steps was 5 10", "missing"}
    assert {path for path in found.reasons if "/step5/" in path or "/step10/" in path} == set()


def trained_by_command(steps, command="python train.py {seed}"):
    """A sweep of a module whose weights a command makes."""

    def change(raw):
        architecture = {"kind": "module", "module": "m:net", "weights": "w{seed}-{step}.pt"}
        raw["models"] = {
            "a": {
                "data": {"source": "digits"},
                "architecture": architecture,
                "training": {"command": command},
                "steps": steps,
            }
        }

    return resolved(change)


def test_another_command_trains_again_and_makes_all_behind_it_again(tmp_path):
    chain.write(tmp_path, trained_by_command([0, 5]))
    assert compare(tmp_path, trained_by_command([0, 5])).reasons == {}
    config = trained_by_command([0, 5], "python train.py {seed} --more")
    found = compare(tmp_path, config)
    assert own_reasons(found) == {
        f"cells/a/seed{seed}/training.json": f"command was python train.py {seed}" for seed in (0, 1)
    }
    assert set(found.reasons) == artifacts.of_sweep(config).keys() - {"data/a.h5"}


def test_a_module_with_a_step_more_is_exported_again_and_measured_there_alone(tmp_path):
    chain.write(tmp_path, trained_by_command([0, 5]))
    found = compare(tmp_path, trained_by_command([0, 5, 7]))
    assert {path for path in found.reasons if "/step0/" in path or "/step5/" in path} == set()
    assert found.reasons["cells/a/seed0/model.h5"] == "steps was 0 5"


def test_cells_of_steps_that_a_training_has_yet_to_show_are_missing(tmp_path):
    config = trained_by_command("all")
    assert artifacts.of_sweep(config).keys() == {
        "data/a.h5",
        "cells/a/seed0/training.json",
        "cells/a/seed1/training.json",
    }
    records, missing = cell_records.read_all(tmp_path, config, compare(tmp_path, config))
    assert records == [] and len(missing) == len(cells.expected(config))
    assert {cell["step"] for cell in cells.expected(config)} == {"all"}


def test_a_step_less_with_another_learning_rate_keeps_nothing(pristine):
    def change(raw):
        for model in raw["models"].values():
            model.update(steps=["final"], training={"steps": 10, "learning_rate": 0.2})

    found = compare(pristine, resolved(change))
    assert any("/step10/hessian/operator.h5" in path for path in found.reasons)


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


def test_lines_name_each_reason_and_count_the_rest(pristine):
    config = resolved(lambda raw: raw["lanczos"].update(tol=1e-8))
    said = plan.lines(pristine, compare(pristine, config))
    assert said[0].endswith("/probe0/lanczos.h5: tol was 1e-06") and len(said) == plan.SHOWN + 2
    matrices = 2 * 2 * 2 * 2  # models, seeds, steps, operators
    runs, behind = matrices * 2 * 2, matrices * (2 * 2 * 2 + 1)
    assert said[-2] == f"made again: {runs - plan.SHOWN} more for the same reason: tol was 1e-06"
    assert said[-1] == f"made again: {behind} more that are made from these"


def test_nothing_is_said_of_cells_that_were_never_made(tmp_path):
    assert plan.lines(tmp_path, compare(tmp_path)) == []


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
