"""Bad data, flags and specs: the exit status of the contract, one line that says what, no file left."""

import json

import numpy as np
import pytest
from refused_calls import BAD_INPUT, build, lanczos, replace
from stage_runs import edited

# Data


def with_bad_data(good, tmp_path, change):
    return edited(good.data, tmp_path / "bad.h5", change)


def nan_in_inputs(file):
    file["inputs"][3, 0, 0, 0] = np.nan


def no_samples(file):
    for name in ("inputs", "targets"):
        replace(name, file[name][:0])(file)


def label_out_of_range(file):
    file["targets"][5] = 10


def fewer_targets(file):
    replace("targets", file["targets"][:-1])(file)


BAD_DATA = {
    "NaN": (nan_in_inputs, ("'inputs'", "[3, 0, 0, 0]")),
    "empty": (no_samples, ("inputs",)),
    "label": (label_out_of_range, ("'targets'", "10")),
    "length": (fewer_targets, ("targets",)),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused_by_each_stage_that_reads_them(name, good, tmp_path, refused):
    change, words = BAD_DATA[name]
    data = with_bad_data(good, tmp_path, change)
    refused(BAD_INPUT, data, *words, call=build(good, data=data))
    refused(BAD_INPUT, data, *words, call=("train-model", "--data", data, "--spec", good.spec))


def test_data_of_another_width_than_the_model_are_refused(good, tmp_path, refused):
    data = with_bad_data(good, tmp_path, lambda f: replace("inputs", f["inputs"][..., :4])(f))
    refused(BAD_INPUT, good.model, "layers.0.weight", "[8, 64]", "[8, 32]", call=build(good, data=data))


# Flags

UNKNOWN_WORDS = {
    "--operator": ("hesian", "hessian"),
    "--ggn-mode": ("empirial", "empirical"),
    "--dtype-compute": ("floot64", "float64"),
    "--reorth-mode": ("selectiv", "selective"),
    "--which": ("larges", "largest"),
    "--max-iter": ("", "--max-iters"),
    "--oprator": ("", "--operator"),
}


@pytest.mark.parametrize("flag", UNKNOWN_WORDS)
def test_unknown_word_is_answered_with_the_nearest_right_one(flag, good, refused):
    word, right = UNKNOWN_WORDS[flag]
    if flag in ("--operator", "--ggn-mode", "--dtype-compute"):
        kind = word if flag == "--operator" else "ggn"
        call = build(good, *([] if flag == "--operator" else [flag, word]), operator=kind)
    elif flag == "--oprator":
        call = ("lanczos", flag, good.operator)
    else:
        call = lanczos(good.operator, flag, word or 3)
    line = refused(BAD_INPUT, flag, call=call)
    assert f"did you mean '{right}'?" in line


BAD_VALUES = [
    ("--basis", "tape"), ("--dtype-basis", "float16"), ("--k", 0), ("--k", 611),
    ("--k", -3), ("--k", "ten"), ("--k", 2.5), ("--max-iters", 0),
    ("--max-iters", "many"), ("--tol", 0), ("--tol", -1), ("--tol", "nan"), ("--tol", "small"),
    ("--reorth-window", 0), ("--reorth-period", 0), ("--seed", -1), ("--seed", "one"), ("--threads", 0),
    ("--threads", "two"), ("--log-level", "loud"), ("--checkpoint-interval", -1),
]  # fmt: skip


@pytest.mark.parametrize("flag, value", BAD_VALUES)
def test_value_that_cannot_be_right_is_refused_by_its_flag(flag, value, good, refused):
    refused(BAD_INPUT, flag, value, call=lanczos(good.operator, flag, value))


def test_batch_size_and_step_that_cannot_be_right_are_refused_by_their_flags(good, refused):
    refused(BAD_INPUT, "--batch-size", "-2", call=build(good, "--batch-size", -2))
    refused(BAD_INPUT, "--step", "last", call=build(good, "--step", "last"))
    refused(BAD_INPUT, good.model, "no step 7", "00000060", call=build(good, "--step", 7))


def test_missing_flags_are_named(good, refused):
    refused(BAD_INPUT, "--operator", call=("lanczos", "--k", 3))
    refused(BAD_INPUT, "--data", call=("build-operator", "--model", good.model, "--operator", "ggn"))
    refused(BAD_INPUT, "--model", call=("build-operator", "--data", good.data, "--operator", "ggn"))
    refused(BAD_INPUT, "--matrix", call=("build-operator", "--operator", "matrix"))


BAD_SPECS = {
    "unknown key": ({"hiden": [8]}, ("hiden", "did you mean 'hidden'?")),
    "kind": ({"kind": "mpl"}, ("architecture.kind", "mlp")),
    "activation": ({"activation": "tahn"}, ("architecture.activation", "tanh")),
    "sizes": ({"hidden": "8"}, ("architecture.hidden",)),
    "beyond 64 bits": ({"hidden": [2**62, 2**62]}, ("architecture.hidden", "< 2^31")),
}


@pytest.mark.parametrize("name", BAD_SPECS)
def test_spec_that_cannot_be_right_is_refused_by_its_key(name, good, tmp_path, refused):
    change, words = BAD_SPECS[name]
    spec = json.loads(good.spec.read_text())
    spec["architecture"] |= change
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    refused(BAD_INPUT, path, *words, call=("train-model", "--data", good.data, "--spec", path))


def test_spec_that_is_no_json_is_refused(good, tmp_path, refused):
    path = tmp_path / "spec.json"
    path.write_text('{"architecture": ')
    call = ("train-model", "--data", good.data, "--spec", path)
    refused(BAD_INPUT, path, "JSON", "line 1", call=call)
    path.write_text('{"architecture": {"hidden": ' + 200_000 * "[" + 200_000 * "]" + "}}")
    refused(BAD_INPUT, path, "levels", call=call)
    refused(BAD_INPUT, tmp_path, "cannot be read", call=(*call[:-1], tmp_path))
