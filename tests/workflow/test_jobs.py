"""What rules ask about jobs, without Snakemake at work."""

import copy
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from edited_sweep import BASE
from snakemake.io import is_flagged

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import artifacts, stage_flags, sweep_config
from ritzflow.sweep.jobs import MODELS_ENV, Jobs, checked, old, search_path

MODULE = {"architecture": {"kind": "module", "module": "mine:net", "weights": "w/step{step}.pt"}}
HF = {"architecture": {"kind": "module", "hf": "folder"}}


class Plan:
    def __init__(self, *stale):
        self.stale = stale

    def again(self, output):
        return output in self.stale

    def marker(self, output):
        return ["now"] if output in self.stale else []


class Wildcards(SimpleNamespace):
    def items(self):
        return vars(self).items()


def jobs(plan=None, **models):
    raw = copy.deepcopy(BASE)
    raw["operators"]["ggn"] = {"device": "cuda"}
    raw["operators"]["kfac"] = {"device": "cuda"}
    raw["models"] |= {name: {"data": {"source": "digits"}, **model} for name, model in models.items()}
    return Jobs(sweep_config.resolve(raw, "x.yaml"), plan or Plan(), Path("x.yaml"))


def cell(**known):
    return Wildcards(**{"model": "m", "seed": "0", "step": "4", "block": "", **known})


def test_names_of_folders_may_hold_braces_and_spaces():
    assert search_path([Path("/a {b}"), Path("/c")]) == "'/a {{b}}:/c'"


def test_dates_of_files_count_only_where_the_artifact_is_made_again():
    path = "cells/m/seed0/step4/hessian/operator.h5"
    for plan, dated in ((Plan(), False), (Plan(path), True)):
        files = jobs(plan).made_from(artifacts.operator, "model")(cell(operator="hessian"))
        assert files == ["results/edits/cells/m/seed0/model.h5"]
        assert is_flagged(files[0], "ancient") != dated
        marker = jobs(plan).again(artifacts.operator)(cell(operator="hessian"))
        assert marker == (["now"] if dated else [])


def test_tables_are_made_from_what_a_function_or_a_rule_gives():
    for inputs in ("a", ["a"], lambda wildcards: ["a"]):
        kept, made = (jobs(plan).summary("tables", inputs)(None) for plan in (Plan(), Plan("tables")))
        assert kept == made == ["a"]
        assert is_flagged(kept[0], "ancient") and not is_flagged(made[0], "ancient")


def test_files_that_snakemake_cannot_take_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("here", "to come", "{braces}"):
        Path(name).touch()
    os.utime("to come", (time.time() + 1000,) * 2)
    assert old(["here", "to come", "{braces}", "missing"]) == ["here"]


def test_weights_of_every_step_are_inputs_of_an_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w").mkdir()
    for step in (1, 20):
        Path(f"w/step{step}.pt").touch()
    files = jobs(mine={**MODULE, "steps": "all"}).module_files(cell(model="mine"))
    assert files == ["w/step1.pt", "w/step20.pt"]


def test_models_are_trained_here_or_come_with_their_weights():
    assert (jobs().models(trained=True), jobs().models(trained=False)) == ("m", "(?!)")
    assert jobs(mine=HF).models(trained=False) == "mine"


def test_hugging_face_folders_are_read_in_their_environment():
    of = jobs(mine=HF)
    assert (of.python(cell()), of.python(cell(model="mine"))) == ("", f"PATH={MODELS_ENV}:$PATH ")


@pytest.mark.parametrize(("operator", "gpus"), [("hessian", (0, 0)), ("ggn", (1, 1)), ("kfac", (0, 1))])
def test_products_of_kfac_need_no_gpu_but_its_collection_does(operator, gpus):
    wildcards = cell(operator=operator)
    assert (jobs().gpus(wildcards), jobs().gpus_of_collection(wildcards)) == gpus


def test_numbers_among_the_axes_reach_the_flags():
    assert jobs().flags(stage_flags.training)(cell()) == "--seed 0"
    assert jobs().all_of("train-model") == ["results/edits/cells/m/seed0/model.h5"]
    assert jobs(mine=HF).all_of("train-model", ["mine"]) == []


def test_a_sweep_file_with_a_key_twice_is_refused_whatever_snakemake_read(tmp_path):
    (tmp_path / "x.yaml").write_text("name: a\nname: b\n")
    with pytest.raises(InputError, match="key 'name' is there already"):
        checked(copy.deepcopy(BASE), "x.yaml", [tmp_path / "x.yaml"])
