"""Sweep files: what is repaired, what is filled in, and what is refused with which words."""

import re

import pytest
import yaml
from small_sweep import MINIMAL, MODULE, model, refusal, resolve

from ritzflow.sweep import sweep_config


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
        ({"reorth_modes": ["full", "full"]}, "has 'full' twice; list it once"),
        ({"seeds": [-1]}, "'seeds.0': -1 is less than the minimum of 0"),
        ({"seeds": []}, "'seeds'"),
        ({"lanczos": {"tol": 0}}, "'lanczos.tol'"),
        ({"lanczos": {"k": "ten"}}, "'lanczos.k' is 'ten', expected a whole number"),
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
