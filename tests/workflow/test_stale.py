"""What must be made again is decided by what artifacts say of their making: each change, and nothing else."""

import os
import shutil

import chain
import pytest
from chained_sweep import compare, downstream, own_reasons, resolved

from ritzflow.sweep import artifacts, cells, plan, stale
from ritzflow.tables import cell_records


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
