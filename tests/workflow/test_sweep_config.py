"""Sweep files: what is repaired, what is filled in, and what is refused with which words."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ritzflow.common.script_cli import Parser
from ritzflow.sweep import stage_flags, sweep_config

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = """
name: mine
models:
  m:
    data: {source: digits}
    architecture: {kind: mlp, hidden: [4]}
    training: {steps: 10, learning_rate: 1e-2}
operators: {hessian: , small: {kind: ggn}}
reorth_modes: [off, full]
lanczos: {tol: 1e-8}
"""


def resolve(**changes):
    raw = yaml.safe_load(MINIMAL)
    raw.update(changes)
    return sweep_config.resolve(raw, "configs/x.yaml")


def refusal(**changes):
    with pytest.raises(sweep_config.ConfigError) as caught:
        resolve(**changes)
    return str(caught.value)


def model(part, **changes):
    entry = copy.deepcopy(yaml.safe_load(MINIMAL)["models"]["m"])
    entry[part] |= changes
    return {"m": entry}


@pytest.mark.parametrize("name", ["demo", "digits-resnet", "own-model", "smollm2", "tiny"])
def test_shipped_sweep_files_are_valid(name):
    assert sweep_config.load(str(ROOT / "configs" / f"{name}.yaml"))["name"] == name


MODULE = {"kind": "module", "module": "mine:resnet", "weights": "resnet.pt"}


def test_a_module_comes_with_its_weights():
    (entry,) = resolve(models={"m": {"data": {"source": "digits"}, "architecture": MODULE}})[
        "models"
    ].values()
    assert entry["steps"] == [0] and entry["architecture"]["compile"] == "auto"
    trained = {
        "data": {"source": "digits"},
        "architecture": MODULE,
        "training": {"steps": 1, "learning_rate": 1},
    }
    assert "'models.m.training' of a module is a command that writes its weights" in refusal(
        models={"m": trained}
    )
    nameless = {"data": {"source": "digits"}, "architecture": {"kind": "module"}}
    assert "needs 'module' and 'weights', or 'hf'" in refusal(models={"m": nameless})


def test_schema_is_a_valid_draft_2020_12_schema():
    Draft202012Validator.check_schema(json.loads(sweep_config.SCHEMA.read_text()))


def test_unquoted_off_is_the_mode():
    assert resolve()["reorth_modes"] == ["off", "full"]


def test_exponents_without_a_point_are_numbers():
    config = resolve()
    assert config["lanczos"]["tol"] == 1e-8
    assert config["models"]["m"]["training"]["learning_rate"] == 0.01


def test_unquoted_true_is_a_ggn_mode():
    assert resolve(operators={"ggn": {"ggn_mode": True}})["operators"]["ggn"]["ggn_mode"] == "true"


def test_kind_defaults_to_the_entrys_name():
    assert [o["kind"] for o in resolve()["operators"].values()] == ["hessian", "ggn"]


def test_defaults_are_filled_at_every_level():
    config = resolve()
    assert config["seeds"] == [0] and config["probes"] == [0]
    assert config["lanczos"]["k"] == 10
    assert config["models"]["m"]["data"]["split"] == 0.8
    assert config["models"]["m"]["architecture"]["activation"] == "tanh"
    assert config["models"]["m"]["training"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("source", "architecture", "decided"),
    [
        ("digits", {"kind": "mlp"}, (0.8, True)),
        ("text:book.txt", {"kind": "transformer"}, (0.8, True)),
        ("npz:mine.npz", {"kind": "mlp"}, (None, True)),  # a test part of its own is seen by prepare_data.py
        ("npz:mine.npz", MODULE, ("none", False)),
        ("digits", MODULE, ("none", False)),
    ],
)
def test_split_and_scaling_follow_source_and_architecture(source, architecture, decided):
    entry = {"data": {"source": source}, "architecture": architecture}
    entry |= {} if architecture is MODULE else {"training": {"steps": 1, "learning_rate": 0.1}}
    data = resolve(models={"m": entry})["models"]["m"]["data"]
    assert (data["split"], data["standardize"]) == decided
    asked = {**entry, "data": {"source": source, "split": 0.5, "standardize": True}}
    data = resolve(models={"m": asked})["models"]["m"]["data"]
    assert (data["split"], data["standardize"]) == (0.5, True)


def test_label_and_targets_are_one():
    twice = model("data", source="csv:a.csv", label="y", targets="z")
    assert "'models.m.data.label' is another name of 'targets'" in refusal(models=twice)


@pytest.mark.parametrize("split", [0, 1.5, "half"])
def test_a_split_is_a_fraction_or_none(split):
    line = refusal(models=model("data", split=split))
    assert f"'{split}' for 'models.m.data.split' is not right: Fraction of the samples" in line


def test_defaults_and_keys_follow_the_architectures_kind():
    entry = yaml.safe_load(MINIMAL)["models"]["m"]
    filled = resolve(models={"m": {**entry, "architecture": {"kind": "cnn"}}})["models"]["m"]["architecture"]
    assert filled["channels"] == [8, 16] and filled["activation"] == "relu" and "hidden" not in filled
    assert "unknown key 'hidden'" in refusal(models=model("architecture", kind="transformer"))


def test_final_is_the_last_training_step():
    assert resolve()["models"]["m"]["steps"] == [10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanczos": {"max_iter": 3}}, "unknown key 'max_iter' in 'lanczos'; did you mean 'max_iters'?"),
        ({"modles": {}}, "unknown key 'modles' in 'the top level'; did you mean 'models'?"),
        (
            {"models": model("data", smaples=3)},
            "unknown key 'smaples' in 'models.m.data'; did you mean 'samples'?",
        ),
        ({"models": model("architecture", layers=2)}, "unknown key 'layers' in 'models.m.architecture'"),
        (
            {"models": model("training", label_smoothing=0.1)},
            "unknown key 'label_smoothing' in 'models.m.training'; a built-in network has cross_entropy, mse",
        ),
        (
            {"models": model("training", loss="huber")},
            "is not one of cross_entropy, mse, bce; a built-in network has cross_entropy, mse and bce alone",
        ),
        ({"models": model("training", loss="mes")}, "did you mean 'mse'?"),
        ({"models": model("architecture", activation="tahn")}, "did you mean 'tanh'?"),
        ({"operators": {"hesian": {}}}, "did you mean 'hessian'?"),
        ({"reorth_modes": ["selektive"]}, "did you mean 'selective'?"),
        ({"reorth_modes": ["full", "full"]}, "has non-unique elements"),
        ({"seeds": [-1]}, "'seeds.0': -1 is less than the minimum of 0"),
        ({"seeds": []}, "'seeds'"),
        ({"lanczos": {"tol": 0}}, "'lanczos.tol'"),
        ({"lanczos": {"k": "ten"}}, "'lanczos.k': 'ten' is not of type 'integer'"),
        ({"name": "../x"}, "'../x' in 'name'"),
        ({"name": "/x"}, "'/x' in 'name'"),
        ({"name": "a..b"}, "'a..b' in 'name'"),
        ({"models": {"a/b": model("data")["m"]}}, "'a/b' in 'models'"),
    ],
)
def test_error_names_file_key_and_what_would_be_right(changes, message):
    text = refusal(**changes)
    assert message in text and text.startswith("configs/x.yaml: ")


@pytest.mark.parametrize(
    "name", ("../x", "/tmp/x", "..", "a/../../x", "a/b", ".", ".x", "~x", "$(x)", "a b", "")
)
def test_no_name_of_a_sweep_leads_out_of_its_folders(name):
    """Names become paths below `results` and the checkpoint root, and words of shell commands."""
    for changes in (
        {"name": name},
        {"models": {name: model("data")["m"]}},
        {"operators": {name: {"kind": "ggn"}}},
        {"models": {"m": model("data")["m"] | {"steps": [name]}}},
        {"seeds": [name]},
        {"probes": [name]},
        {"reorth_modes": [name]},
    ):
        assert f"'{name}'" in refusal(**changes)


def test_every_error_has_its_own_line():
    assert len(refusal(lanczos={"kk": 1}, seeds=[-1]).splitlines()) == 2


def test_missing_key_is_named():
    raw = yaml.safe_load(MINIMAL)
    del raw["operators"]
    with pytest.raises(sweep_config.ConfigError, match="missing key 'operators'"):
        sweep_config.resolve(raw, "configs/x.yaml")


@pytest.mark.parametrize(
    ("steps", "message"), [([11], "exceeds the last training step, 10"), (["final", 10], "listed twice")]
)
def test_steps_that_cannot_be_are_refused(steps, message):
    entry = yaml.safe_load(MINIMAL)["models"]["m"]
    assert message in refusal(models={"m": {**entry, "steps": steps}})


def test_digest_does_not_depend_on_the_order_of_keys():
    config = resolve()
    assert sweep_config.digest(config) == sweep_config.digest(dict(reversed(config.items())))


@pytest.mark.parametrize(("text", "message"), [("a: [", "not YAML"), ("- 1", "expected a mapping")])
def test_broken_files_are_refused_in_one_line(tmp_path, script, text, message):
    (tmp_path / "x.yaml").write_text(text)
    done = script("sweep_config.py", "x.yaml")
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(f"error: x.yaml: .*{message}.*\n", done.stderr)


def test_missing_file_is_refused(script):
    done = script("sweep_config.py", "none.yaml")
    assert (done.returncode, done.stderr) == (2, "error: none.yaml: no such file\n")


def keys(schema):
    for key, entry in schema.get("properties", {}).items():
        yield key
        if isinstance(entry, dict):
            yield from keys(entry)
    for entry in schema.get("$defs", {}).values():
        yield from keys(entry)


def test_readme_names_every_key():
    readme = (ROOT / "configs" / "README.md").read_text()
    missing = [
        key for key in keys(json.loads(sweep_config.SCHEMA.read_text())) if f"| `{key}` |" not in readme
    ]
    assert missing == []


def described(schema):
    """Keys of a schema without a description of their own or of what they refer to."""
    for key, entry in schema.get("properties", {}).items():
        if entry is not True and "description" not in entry and "$ref" not in entry:
            yield key
    for entry in schema.get("$defs", {}).values():
        yield from described(entry)


def test_every_key_of_the_schema_is_described():
    assert list(described(json.loads(sweep_config.SCHEMA.read_text()))) == []


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


# Of these a sweep has the values elsewhere: operators say products and types, the sweep where files lie.
OF_THE_SWEEP = {"help", "version", "steps", "products", "dtype_compute", "data", "packages", "out"}


def test_every_flag_of_an_export_is_a_key_of_a_module():
    from ritzflow.export import export_flags  # imports torch

    parser = Parser("x", 1, "x")
    export_flags.declare(parser)
    keys_of_modules = json.loads(sweep_config.SCHEMA.read_text())["$defs"]["module"]["properties"]
    assert {action.dest for action in parser._actions} - OF_THE_SWEEP == keys_of_modules.keys() - {"kind"}
