"""What stages refuse after hours is refused before any job starts, by the key of the sweep file."""

import copy

import pytest
from edited_sweep import BASE, Sweep

from ritzflow.data.sources import kinds
from ritzflow.sweep import known_refusals, sweep_config

MODULE = {"kind": "module", "module": "mine:net", "weights": "seed{seed}.pt"}


def said(operators=None, data=None, lanczos=None, **architecture):
    raw = copy.deepcopy(BASE)
    raw["models"]["m"]["data"] = data or {"source": "digits"}
    if architecture:
        raw["models"]["m"]["architecture"] = architecture
    if architecture.get("kind") == "module":
        del raw["models"]["m"]["training"], raw["models"]["m"]["steps"]
    raw["operators"] = operators or {"ggn": {}}
    with pytest.raises(sweep_config.ConfigError) as caught:
        sweep_config.resolve(raw, "x.yaml")
    return str(caught.value)


def test_the_kinds_of_source_are_those_that_are_read():
    assert sorted(known_refusals.OF_FILES) == sorted(kinds.FILES)
    assert sorted(known_refusals.OF_FOLDERS) == sorted(kinds.FOLDERS)
    assert sorted(known_refusals.NAMES) == sorted(name for name in kinds.KNOWN if ":" not in name)


@pytest.mark.parametrize(
    ("architecture", "source", "expected"),
    [
        ({"kind": "cnn", "norm": "group", "channels": [8, 6]}, "digits", "groups': 4 does not divide 6 of"),
        ({"kind": "transformer", "heads": 3}, "python_topics", "heads': 3 does not divide d_model, 32"),
        ({"kind": "transformer"}, "digits", "transformer is for texts"),
        ({"kind": "mlp"}, "text:a.txt", "mlp is for real inputs"),
        ({"kind": "cnn"}, "wine", "cnn is for images"),
        ({"kind": "mlp"}, "mine.npz", "did you mean 'npz:mine.npz'?"),
        ({"kind": "mlp"}, "runs/a.h5", "did you mean 'hdf5:runs/a.h5'?"),
        ({"kind": "mlp"}, "digit", "did you mean 'digits'?"),
        ({"kind": "mlp"}, "npx:mine.npz", "unknown kind 'npx:' of a source"),
        ({"kind": "mlp"}, "npz:", "what follows 'npz:' is missing"),
    ],
)
def test_networks_and_sources_that_do_not_fit(architecture, source, expected):
    text = said(data={"source": source}, **architecture)
    assert text.startswith("x.yaml: ") and expected in text and text.count("\n") == 0


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ({"kind": "kfac", "power": -1}, "power': -1 divides by eigenvalues that may be 0: it needs damping"),
        ({"kind": "ekfac", "power": -0.5, "damping": 0}, "it needs damping"),
        ({"kind": "kfac", "uncovered": "exact_ggn", "damping": 1}, "exact_ggn has no eigenpairs"),
        ({"kind": "ggn", "params_filter": ["layer.0.*"]}, "'layer.0.*' matches nothing in models.m"),
        ({"kind": "ggn", "params_filter": ["*", "!head.*"]}, "'!head.*' matches nothing"),
    ],
)
def test_operators_that_no_stage_would_build(operator, expected):
    assert expected in said(operators={"mine": operator})


def test_an_objective_has_no_gauss_newton_matrix():
    text = said(operators={"ggn": {}, "hessian": {}}, **MODULE, objective="mine:risk")
    assert "'operators.ggn': ggn needs a loss of outputs" in text and "operators.hessian'" not in text


def test_what_can_be_built_is_let_through():
    raw = copy.deepcopy(BASE)
    raw["operators"] = {
        "a": {"kind": "kfac", "power": -1, "damping": 1e-3},
        "b": {"kind": "ggn", "params_filter": ["layers.0.*", "!*.bias"]},
    }
    assert sweep_config.resolve(raw, "x.yaml")


def test_a_missing_file_is_found_before_jobs_start(tmp_path):
    sweep = Sweep(tmp_path)
    (sweep.folder / "mine.npz").unlink()
    done = sweep.run("-n")
    assert done.returncode == 2 and "models.m.data.source: mine.npz: no such file" in done.stderr
    models = {"m": {"data": {"source": "digits"}, "architecture": MODULE}}
    config = sweep_config.resolve(copy.deepcopy({**BASE, "models": models}), "x")
    assert list(known_refusals.missing_files(config, tmp_path)) == [
        "models.m.architecture.weights: seed0.pt: no such file"
    ]
