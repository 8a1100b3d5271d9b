"""Flags that say nothing of the operator that is asked for: refused, never ignored."""

import json

import pytest
from stage_runs import ROOT, error_line, run

SCHEMA = json.loads((ROOT / "configs" / "schema.json").read_text())
KEYS = SCHEMA["$defs"]["operator"]["properties"]
# Keys of a sweep that are flags of build-operator, with a value that it takes.
SWEPT = {
    "ggn_mode": "true", "mc_samples": 3, "hessian_mode": "reverse_over_forward", "fisher_unit": "sample",
    "fisher_clip": 1, "uncovered": "zero", "damping": 1, "power": -1,
}  # fmt: skip
FOREIGN = {
    "hessian": (
        ("--ggn-mode", "empirical"), ("--mc-samples", 3), ("--kfac", "kfac.h5"), ("--matrix", "m.h5:/A"),
        ("--fisher-unit", "sample"), ("--fisher-clip", 1), ("--uncovered", "zero"),
    ),
    "ggn": (
        ("--damping", 0.1), ("--power", -1), ("--matrix", "m.h5:/A"), ("--kfac", "kfac.h5"),
        ("--mc-samples", 3), ("--hessian-mode", "reverse_over_forward"), ("--force",),
    ),
    "mc_fisher": (("--fisher-unit", "sample"), ("--damping", 0.5)),
    "empirical_fisher": (("--mc-samples", 2), ("--ggn-mode", "true")),
    "kfac": (("--mc-samples", 3), ("--ggn-mode", "true"), ("--device", "cuda")),
    "matrix": (
        ("--data", "data.h5"), ("--model", "model.h5"), ("--step", 3), ("--power", -1), ("--device", "cuda"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("stage", ["build-operator", "spectrum"])
@pytest.mark.parametrize(
    ("kind", "flag"), [(kind, flag) for kind, flags in FOREIGN.items() for flag in flags], ids=str
)
def test_a_flag_that_is_not_for_the_operator_is_refused_by_its_name(stage, kind, flag, tmp_path):
    out = () if stage == "spectrum" else ("--out", tmp_path / "out.h5")
    done = run(stage, "--operator", kind, *flag, *out)
    line = error_line(done)
    assert done.returncode == 2
    assert f"{flag[0]} is for " in line and f", not {kind}; leave it out" in line
    assert list(tmp_path.iterdir()) == []


def test_the_refusal_names_the_kinds_that_the_flag_is_for(tmp_path):
    done = run("build-operator", "--operator", "ggn", "--damping", 0.1, "--out", tmp_path / "out.h5")
    assert error_line(done).startswith("error: --damping is for kfac and ekfac, not ggn")


def test_a_default_that_is_written_out_is_no_mistake(tmp_path):
    call = ("--operator", "hessian", "--mc-samples", 1, "--ggn-mode", "auto", "--damping", 0)
    assert "--data" in error_line(run("build-operator", *call, "--out", tmp_path / "out.h5"))


def test_an_unknown_operator_is_named_before_its_flags(tmp_path):
    call = ("--operator", "hesian", "--damping", 1, "--out", tmp_path / "out.h5")
    assert "did you mean 'hessian'?" in error_line(run("build-operator", *call))


@pytest.mark.parametrize("key", SWEPT)
def test_sweep_files_and_the_stage_agree_on_what_a_setting_is_for(key, tmp_path):
    flag = f"--{key.replace('_', '-')}"
    for kind in KEYS["kind"]["enum"]:
        done = run("build-operator", "--operator", kind, flag, SWEPT[key], "--out", tmp_path / "out.h5")
        refused = f"{flag} is for " in error_line(done)  # else --data is missing
        collected = key == "mc_samples" and kind in ("kfac", "ekfac")  # a sweep gives it to collect-kfac
        assert refused == (kind not in KEYS[key]["x-kinds"] or collected), kind
