"""Files that are damaged, missing, of another format or replaced; output that cannot be written."""

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from refused_calls import BAD_INPUT, FAILURE, build, lanczos
from stage_runs import edited, flip, make, run, sha256


@pytest.mark.parametrize("packages", (None, [], {"float32": 7}, {"float32": "none"}))
def test_model_whose_packages_are_not_there_is_refused(packages, good, tmp_path, refused):
    def change(file):
        file.attrs["spec"] = json.dumps({"architecture": {"kind": "compiled", "packages": packages}})
        file.require_group("provenance").attrs["packages_path"] = "packages"

    model = edited(good.model, tmp_path / "model.h5", change)
    words = ("architecture.packages",) if packages != {"float32": "none"} else ("no such package",)
    refused(BAD_INPUT, *words, call=build(good, model=model))


CONSUMERS = {
    "data": lambda good, path: build(good, data=path),
    "model": lambda good, path: build(good, model=path),
    "operator": lambda good, path: lanczos(path),
    "lanczos": lambda good, path: ("ritz-residuals", "--operator", good.operator, "--lanczos", path),
    "ritz": lambda good, path: ("metrics", "--ritz", path),
}


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
