"""The same seed gives the same bits, artifact by artifact; what a run kept or replayed changes no number."""

import shutil

import pytest
from stage_runs import MODES, assert_same_contents, contents, make, sha256

ARTIFACTS = ("model", "operator", "lanczos", "ritz")
RUN = ("--k", 5, "--tol", 1e-12)


def pipeline(folder, source, *, seed=0, threads=2):
    """model, operator, lanczos and ritz of one seed in `folder`."""
    folder.mkdir()
    for name in ("data.h5", "spec.json"):
        shutil.copy(source.folder / name, folder)
    more = ("--threads", threads)
    inputs = ("--data", "data.h5", "--spec", "spec.json", "--seed", seed)
    make(folder / "model.h5", "train-model", *inputs, *more, cwd=folder)
    model = ("--data", "data.h5", "--model", "model.h5", "--batch-size", 30)
    make(folder / "operator.h5", "build-operator", *model, "--operator", "hessian", *more, cwd=folder)
    settings = (*RUN, "--max-iters", 30, "--reorth-mode", "full", "--seed", seed, *more)
    make(folder / "lanczos.h5", "lanczos", "--operator", "operator.h5", *settings, cwd=folder)
    pair = ("--operator", "operator.h5", "--lanczos", "lanczos.h5", *more)
    make(folder / "ritz.h5", "ritz-residuals", *pair, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def first(good, tmp_path_factory):
    return pipeline(tmp_path_factory.mktemp("first") / "run", good, threads=1)


def test_same_seed_gives_the_same_bits_in_another_directory_with_more_threads(good, first, tmp_path):
    again = pipeline(tmp_path / "elsewhere", good, threads=2)
    for name in ARTIFACTS:
        assert_same_contents(first / f"{name}.h5", again / f"{name}.h5")
        assert sha256(first / f"{name}.h5") == sha256(again / f"{name}.h5")


def test_metrics_are_the_same_text_twice(first, tmp_path):
    texts = [make(tmp_path / f"{i}.json", "metrics", "--ritz", first / "ritz.h5").read_text() for i in (0, 1)]
    assert texts[0] == texts[1]


def test_another_seed_gives_other_weights_and_another_start_vector(good, first, tmp_path):
    other = pipeline(tmp_path / "other", good, seed=1)
    for name in ARTIFACTS:
        assert sha256(first / f"{name}.h5") != sha256(other / f"{name}.h5")
    weights = "steps/00000060/layers.0.weight"
    assert (contents(first / "model.h5")[weights] != contents(other / "model.h5")[weights]).any()
    start = [contents(folder / "lanczos.h5")["start_vector"] for folder in (first, other)]
    assert (start[0] != start[1]).any()


@pytest.mark.parametrize("mode", MODES)
def test_replayed_vectors_give_every_number_of_kept_ones(mode, dense, tmp_path):
    for name, keep in (("kept", ["--keep-basis"]), ("replayed", [])):
        settings = (*RUN, "--max-iters", 60, "--reorth-mode", mode, *keep)
        run = make(tmp_path / f"{name}.h5", "lanczos", "--operator", dense.operator, *settings)
        pair = ("--operator", dense.operator, "--lanczos", run)
        make(tmp_path / f"ritz-{name}.h5", "ritz-residuals", *pair)
    basis = ("basis", "residual_vector")
    kept = contents(tmp_path / "kept.h5")
    replayed = contents(tmp_path / "replayed.h5")
    assert {key for key in kept if key not in replayed} == set(basis)
    said = ("@basis_source", "@replay_calls", "@operator_calls", "@lanczos_sha256")
    assert_same_contents(tmp_path / "ritz-kept.h5", tmp_path / "ritz-replayed.h5", but=said)
    facts = contents(tmp_path / "ritz-replayed.h5")
    assert facts["@basis_source"] == "replayed" and facts["@replay_calls"] == facts["@iterations"]
