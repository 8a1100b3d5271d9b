"""Bad input: the exit status of the contract, one line that names what is wrong, no file left behind."""

import json
import os
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from stage_runs import edited, error_line, make, run, sha256, symmetric, write_matrix

BAD_INPUT, FAILURE, REFUSED = 2, 1, 3


@pytest.fixture
def refused(tmp_path):
    """Runs a stage with --out in an empty folder and checks how it refuses; gives the error line."""
    folder = tmp_path / "out"
    folder.mkdir()

    def check(status, *words, call, out=folder / "out.h5"):
        done = run(*call, "--out", out)
        line = error_line(done)
        assert done.returncode == status, done.stderr
        for word in words:
            assert str(word) in line
        assert list(folder.iterdir()) == []
        return line

    return check


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def build(good, *more, data=None, model=None, operator="hessian"):
    files = ("--data", data or good.data, "--model", model or good.model)
    return ("build-operator", *files, "--operator", operator, *more)


def lanczos(operator, *flags):
    return ("lanczos", "--operator", operator, *flags)


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


@pytest.mark.parametrize("packages", (None, [], {"float32": 7}, {"float32": "none"}))
def test_model_whose_packages_are_not_there_is_refused(packages, good, tmp_path, refused):
    def change(file):
        file.attrs["spec"] = json.dumps({"architecture": {"kind": "compiled", "packages": packages}})
        file.require_group("provenance").attrs["packages_path"] = "packages"

    model = edited(good.model, tmp_path / "model.h5", change)
    words = ("architecture.packages",) if packages != {"float32": "none"} else ("no such package",)
    refused(BAD_INPUT, *words, call=build(good, model=model))


# Files

CONSUMERS = {
    "data": lambda good, path: build(good, data=path),
    "model": lambda good, path: build(good, model=path),
    "operator": lambda good, path: lanczos(path),
    "lanczos": lambda good, path: ("ritz-residuals", "--operator", good.operator, "--lanczos", path),
    "ritz": lambda good, path: ("metrics", "--ritz", path),
}


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", CONSUMERS)
def test_truncated_file_is_refused(name, share, good, tmp_path, refused):
    path = Path(shutil.copy(getattr(good, name), tmp_path / "cut.h5"))
    os.truncate(path, int(share * path.stat().st_size))
    refused(BAD_INPUT, path, call=CONSUMERS[name](good, path))


@pytest.mark.parametrize("name", CONSUMERS)
def test_flipped_bit_is_refused(name, good, tmp_path, refused):
    path = Path(shutil.copy(getattr(good, name), tmp_path / "flipped.h5"))
    with h5py.File(path) as f:
        largest = max((f[key] for key in f if isinstance(f[key], h5py.Dataset)), default=None, key=np.size)
        place = largest.id.get_offset() if largest is not None else None
    places = (
        {2, 515, path.stat().st_size // 2, path.stat().st_size - 1} if name != "data" else {2, place + 40}
    )
    whole = path.read_bytes()
    for at in places:
        path.write_bytes(whole)
        flip(path, at)
        refused(BAD_INPUT, path, call=CONSUMERS[name](good, path))


@pytest.mark.parametrize("name", CONSUMERS)
def test_missing_file_is_refused(name, good, tmp_path, refused):
    path = tmp_path / "nowhere.h5"
    refused(BAD_INPUT, path, "no such file", call=CONSUMERS[name](good, path))


@pytest.mark.parametrize("name", CONSUMERS)
def test_file_of_another_format_is_refused(name, good, refused):
    wrong = good.ritz if name != "ritz" else good.lanczos
    actual = "ritzflow-ritz" if name != "ritz" else "ritzflow-lanczos"
    refused(BAD_INPUT, wrong, actual, f"ritzflow-{name}", call=CONSUMERS[name](good, wrong))


def test_operator_whose_model_was_replaced_is_refused(good, tmp_path, refused):
    for name in ("data", "model", "operator"):
        shutil.copy(getattr(good, name), tmp_path)
    arguments = ("--data", good.data, "--spec", good.spec, "--seed", 1)
    model = make(tmp_path / "model.h5", "train-model", *arguments)
    refused(BAD_INPUT, model, "build-operator", call=lanczos(tmp_path / "operator.h5"))


def test_operator_whose_model_is_gone_is_refused(good, tmp_path, refused):
    for name in ("data", "operator"):
        shutil.copy(getattr(good, name), tmp_path)
    refused(BAD_INPUT, tmp_path / "model.h5", call=lanczos(tmp_path / "operator.h5"))


def test_lanczos_file_of_another_operator_is_refused(good, refused):
    call = ("ritz-residuals", "--operator", good.ggn, "--lanczos", good.lanczos)
    refused(BAD_INPUT, good.lanczos, good.ggn, sha256(good.operator), sha256(good.ggn), call=call)


# Matrices


def matrix_call(tmp_path, matrix):
    return ("build-operator", "--operator", "matrix", "--matrix", write_matrix(tmp_path / "m.h5", matrix))


def test_asymmetric_matrix_is_refused_with_the_worst_entry(tmp_path, refused):
    a = symmetric(20)
    a[7, 3] += 1e-3
    refused(BAD_INPUT, "m.h5:/A", "not symmetric", "[7, 3]", call=matrix_call(tmp_path, a))


def test_matrix_with_a_nan_is_refused_with_its_place(tmp_path, refused):
    a = symmetric(20)
    a[4, 6] = np.nan
    refused(BAD_INPUT, "m.h5:/A", "nan", "[4, 6]", call=matrix_call(tmp_path, a))


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 2), (0, 0)])
def test_array_that_is_no_matrix_is_refused_with_its_shape(shape, tmp_path, refused):
    refused(BAD_INPUT, "m.h5:/A", str(list(shape)), call=matrix_call(tmp_path, np.zeros(shape)))


def test_matrix_place_that_cannot_be_right_is_refused(tmp_path, refused):
    place = write_matrix(tmp_path / "m.h5", symmetric(20))
    call = ("build-operator", "--operator", "matrix", "--matrix")
    refused(BAD_INPUT, "--matrix", "FILE.h5:/dataset", call=(*call, tmp_path / "m.h5"))
    refused(BAD_INPUT, "m.h5", "/B", call=(*call, place[:-1] + "B"))


# Output


def each_stage_that_writes(good):
    yield "train-model", "--data", good.data, "--spec", good.spec
    yield build(good)
    yield lanczos(good.operator)
    yield "ritz-residuals", "--operator", good.operator, "--lanczos", good.lanczos
    yield "metrics", "--ritz", good.ritz


def test_unwritable_output_is_an_io_error_before_any_work(good, tmp_path, refused):
    (tmp_path / "file").write_text("")
    for call in each_stage_that_writes(good):
        for out in (tmp_path / "nowhere" / "out.h5", tmp_path / "file" / "out.h5", tmp_path):
            refused(FAILURE, out, call=call, out=out)
    checkpoint = tmp_path / "checkpoint"
    call = lanczos(good.operator, "--checkpoint", checkpoint)
    refused(FAILURE, "nowhere", call=call, out=tmp_path / "nowhere" / "out.h5")
    assert not checkpoint.exists()


def test_old_output_survives_a_refused_run(good, tmp_path):
    out = tmp_path / "lanczos.h5"
    out.write_text("older")
    assert run(*lanczos(good.operator, "--k", 0), "--out", out).returncode == BAD_INPUT
    assert out.read_text() == "older"


# Memory and precision


def test_an_operator_that_does_not_fit_is_refused_with_the_least_memory_that_would_do(
    good, refused, tmp_path
):
    line = refused(REFUSED, "--memory", "the least that would do", call=build(good, "--memory", "1KiB"))
    least = int(re.search(r"needs (\d+) KiB", line)[1])
    operator = make(tmp_path / "operator.h5", *build(good, "--memory", f"{least}KiB"))
    with h5py.File(operator) as file:
        assert file.attrs["memory"] == least << 10
        assert file.attrs["linearizations"] == "rebuilt"
    refused(REFUSED, f"needs {least} KiB", call=build(good, "--memory", f"{least - 1}KiB"))


def test_a_malformed_memory_is_refused(good, refused):
    refused(BAD_INPUT, "--memory", "'4GB'", "4GiB", call=build(good, "--memory", "4GB"))


def test_a_hessian_in_bfloat16_is_refused_with_its_noise_unless_forced(good, refused, tmp_path):
    bfloat16 = build(good, "--dtype-compute", "bfloat16")
    refused(REFUSED, "bfloat16", "noise", "--force", call=bfloat16)
    forced = make(tmp_path / "operator.h5", *bfloat16, "--force")
    with h5py.File(forced) as file:
        assert file.attrs["dtype_compute"] == "bfloat16"
        assert file["probes/additivity"][()] > 1e-5
    make(tmp_path / "ggn.h5", *build(good, "--dtype-compute", "bfloat16", operator="ggn"))


def test_a_clip_of_tokens_is_refused(good, refused):
    call = build(good, "--fisher-clip", -1, operator="empirical_fisher")
    refused(BAD_INPUT, "--fisher-clip", "-1", call=call)


def test_tokens_samples_and_threads_are_told_apart_in_the_record(good, tmp_path):
    flags = ("--compute-threads", 2, "--hessian-mode", "reverse_over_forward")
    with h5py.File(make(tmp_path / "operator.h5", *build(good, *flags))) as file:
        assert (file.attrs["samples"], file.attrs["rows"]) == (160, 160)
        assert file.attrs["compute_threads"] == 2
        assert file.attrs["hessian_mode"] == "reverse_over_forward"
