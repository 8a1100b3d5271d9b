"""Sweep files that cannot come to what they say are refused by the key, before anything runs."""

import json
import re
import subprocess

import pytest
from scripts_under_test import ROOT, SNAKEMAKE

from ritzflow.sweep import sweep_config

KEYS = json.loads(sweep_config.SCHEMA.read_text())["$defs"]["operator"]["properties"]
TINY = (ROOT / "configs" / "tiny.yaml").read_text()
# A value that is not the default, of each key that is for some kinds alone.
SET = {
    "ggn_mode": "true", "mc_samples": 7, "hessian_mode": "reverse_over_forward", "fisher_unit": "sample",
    "fisher_clip": 1.0, "force": True, "kfac_approx": "reduce", "fisher_type": "mc", "token_terms": "sum",
    "max_factor": 9, "split_qkv": True, "uncovered": "zero", "damping": 5, "power": -1,
}  # fmt: skip


def resolve(**changes):
    model = {
        "data": {"source": "digits"},
        "architecture": {"kind": "mlp"},
        "training": {"steps": 1, "learning_rate": 1},
    }
    raw = {"name": "x", "models": {"m": model}, "operators": {"ggn": {}}, **changes}
    return sweep_config.resolve(raw, "x.yaml")


def refusal(**changes):
    with pytest.raises(sweep_config.ConfigError) as caught:
        resolve(**changes)
    return str(caught.value)


def test_every_key_that_is_for_some_kinds_alone_is_tested():
    assert set(SET) == {key for key, entry in KEYS.items() if "x-kinds" in entry}


@pytest.mark.parametrize("key", SET)
def test_a_key_that_its_kind_does_not_use_is_refused(key):
    for kind in KEYS["kind"]["enum"]:
        operators = {"mine": {"kind": kind, key: SET[key]}}
        if kind in KEYS[key]["x-kinds"]:
            operators["mine"] |= {"damping": 1e-3} if key == "power" else {}
            assert resolve(operators=operators)
            continue
        text = refusal(operators=operators)
        assert text.startswith(f"x.yaml: 'operators.mine.{key}' is for ") and f", not {kind}; leave" in text


@pytest.mark.parametrize("key", SET)
def test_a_key_at_its_default_is_for_every_kind(key):
    for kind in KEYS["kind"]["enum"]:
        assert resolve(operators={"mine": {"kind": kind, key: KEYS[key]["default"]}})


def test_every_ignored_key_has_its_own_line():
    text = refusal(operators={"damped": {"kind": "ggn", "damping": 5, "power": -1, "mc_samples": 7}})
    assert len(text.splitlines()) == 3
    assert "mc_samples' is for mc_fisher, kfac and ekfac, not ggn" in text


def test_a_hessian_is_not_regularised():
    for mode in ("fixed", "relative"):
        text = refusal(operators={"hessian": {"regularization_mode": mode}})
        assert f"'operators.hessian.regularization_mode': {mode}" in text and "off or auto" in text
    assert resolve(operators={"hessian": {"regularization_mode": "auto"}})


def test_a_number_that_is_none_is_refused_by_its_key():
    for value in (float("nan"), float("inf"), ".nan"):
        assert "'lanczos.tol'" in refusal(lanczos={"tol": value})
    assert "'lanczos.tol': nan is not a finite number" in refusal(lanczos={"tol": float("nan")})
    damped = {"kfac": {"damping": float("inf")}}
    assert "'operators.kfac.damping': inf is not a finite number" in refusal(operators=damped)


def test_a_basis_too_small_to_restart_from_is_refused():
    text = refusal(lanczos={"k": 4, "krylov_dim": 5}, reorth_modes=["thick_restart"])
    assert "'lanczos.krylov_dim': 5 is too small for k: 4; at least 6" in text
    assert resolve(lanczos={"k": 4, "krylov_dim": 6}, reorth_modes=["thick_restart"])


def test_a_module_without_its_function_is_told_the_form():
    entry = {"kind": "module", "module": "mine.nets", "weights": "w.pt"}
    text = refusal(models={"m": {"data": {"source": "digits"}, "architecture": entry}})
    assert "'mine.nets' in 'models.m.architecture.module' is not of the form package.module:function" in text


def refused_file(script, tmp_path, text):
    (tmp_path / "x.yaml").write_bytes(text)
    done = script("sweep_config.py", "x.yaml")
    assert done.returncode == 2 and re.fullmatch("error: x.yaml: [^\n]*\n", done.stderr)
    return done.stderr


def test_a_repeated_key_is_refused_with_both_lines(script, tmp_path):
    said = refused_file(script, tmp_path, b"name: x\noperators:\n  ggn: {}\n  ggn: {damping: 1}\n")
    assert "line 4: key 'ggn' is there already, in line 3" in said
    assert "key 'k' is there already" in refused_file(script, tmp_path, b"lanczos: {k: 1, tol: 1, k: 2}\n")


def test_a_key_over_one_that_was_merged_is_no_repetition(script, tmp_path):
    text = TINY.replace("ggn: {}", "ggn: &g {memory: 1GiB}\n  other: {<<: *g, kind: ggn, memory: 2GiB}")
    (tmp_path / "x.yaml").write_text(text)
    done = script("sweep_config.py", "x.yaml")
    assert done.returncode == 0 and json.loads(done.stdout)["operators"]["other"]["memory"] == "2GiB"


def test_what_is_no_text_is_refused_in_one_line(script, tmp_path):
    assert "not text, expected a sweep file" in refused_file(script, tmp_path, b"\x89HDF\r\n\x1a\n\xff")
    done = script("sweep_config.py", tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {tmp_path}: a folder, expected")


def test_snakemake_refuses_a_repeated_key(tmp_path):
    (tmp_path / "x.yaml").write_text(TINY + "seeds: [5]\n")
    call = [*SNAKEMAKE, "--configfile", "x.yaml", "-n"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"error: {tmp_path / 'x.yaml'}: line 23: key 'seeds' is there already, in line 10" in done.stderr
