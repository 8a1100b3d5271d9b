"""Training steps of a sweep's models: of a training, of files, of a command that has yet to run."""

import pytest
import yaml
from small_sweep import MINIMAL, MODULE, model, refusal, resolve

from ritzflow.sweep import stage_flags


def test_final_is_the_last_training_step():
    assert resolve()["models"]["m"]["steps"] == [10]


@pytest.mark.parametrize(
    ("steps", "message"), [([11], "exceeds the last training step, 10"), (["final", 10], "listed twice")]
)
def test_steps_that_cannot_be_are_refused(steps, message):
    entry = yaml.safe_load(MINIMAL)["models"]["m"]
    assert message in refusal(models={"m": {**entry, "steps": steps}})


def module(weights="w{seed}-{step}.pt", **changes):
    architecture = {**MODULE, "weights": weights}
    return {"m": {"data": {"source": "digits"}, "architecture": architecture, **changes}}


def folders(place, **changes):
    """A module in Hugging Face folders."""
    architecture = {"kind": "module", "hf": place}
    return {"m": {"data": {"source": "digits"}, "architecture": architecture, **changes}}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [("all", [0, 20, 300]), (["final"], [300]), ([20, "final"], [20, 300]), ([7, 5], [5, 7])],
)
def test_steps_of_weights_are_those_of_their_files(tmp_path, monkeypatch, steps, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("w0-0.pt", "w0-0020.pt", "w0-300.pt", "w0-x.pt", "w1-400.pt"):
        (tmp_path / name).touch()
    assert resolve(models=module(steps=steps))["models"]["m"]["steps"] == expected


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (module(steps="all"), "models.m.steps: w0-{step}.pt: no such file for any step"),
        (module("w.pt", steps=[5]), "'weights' has no {step} in its name: its only step is 'final'"),
        (module("w.pt", steps="all"), "'all' is for a module whose weights, or folder, have {step}"),
        (folders("runs", steps="all"), "'all' is for a module whose weights, or folder, have {step}"),
        (folders("runs", steps=[5]), "'hf' has no {step} in its name: its only step is 'final'"),
        (module(steps=["last"]), "'models.m.steps' is not right: a list of training steps"),
        (module(steps=[3, 3]), "'models.m.steps' is not right"),
        (module("w.pt", training={"command": "x"}, seeds=1), "unknown key 'seeds'"),
    ],
)
def test_steps_without_weights_are_refused(tmp_path, monkeypatch, models, message):
    monkeypatch.chdir(tmp_path)
    assert message in refusal(models=models)


def test_folders_have_seeds_and_steps_as_weights_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("s0/checkpoint-500", "s0/checkpoint-1000", "s1/checkpoint-500", "s1/checkpoint-1000"):
        (tmp_path / name).mkdir(parents=True)
    config = resolve(models=folders("s{seed}/checkpoint-{step}", steps="all"), seeds=[0, 1])
    assert config["models"]["m"]["steps"] == [500, 1000]
    flags = stage_flags.export(config, {"model": "m", "seed": 1})
    assert (flags["hf"], flags["steps"]) == ("s1/checkpoint-{step}", ["500", "1000"])
    assert "weights" not in flags and "kwargs" not in flags


def test_seeds_with_other_steps_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("w0-0.pt", "w0-300.pt", "w1-0.pt", "w1-200.pt"):
        (tmp_path / name).touch()
    said = refusal(models=module(steps=["final"]), seeds=[0, 1])
    assert "these are 300 of seed 0, but 200 of seed 1" in said and "list the numbers" in said


def test_a_command_keeps_its_steps_until_it_has_run():
    command = "python train.py {seed} '{\"a\": {}}' {step}"
    entry = resolve(models=module(steps=[0, "final"], training={"command": command}))["models"]["m"]
    assert entry["steps"] == [0, "final"] and entry["training"] == {"command": command}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (module("w.pt", training={"command": "x"}), "'models.m.architecture.weights' has no {seed}"),
        (
            {**module(training={"command": "x"}), "n": module(training={"command": "y"})["m"]},
            "'models.n' and 'models.m' have the same weights; give both the same command",
        ),
        (model("training", command="x"), "'models.m.training.command' is for architecture.kind module"),
        (folders("runs", training={"command": "x"}), "'models.m.architecture.hf' has no {seed}"),
    ],
)
def test_commands_that_would_write_what_is_not_theirs_are_refused(models, message):
    assert message in refusal(models=models, seeds=[0, 1])
