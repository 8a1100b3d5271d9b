"""The same seed gives the same bits, artifact by artifact; what a run kept or replayed changes no number."""

import os
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from stage_runs import MODES, assert_same_contents, bits, contents, error_line, make, run, sha256

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


def test_vector_functions_are_those_that_libtorch_hands_to_mkl():
    """Two threads that call one for the first time at once may get values of low accuracy."""
    header = Path(torch.__file__).parent / "include" / "ATen" / "cpu" / "vml.h"
    handed = re.findall(r"^IMPLEMENT_VML_MKL\((\w+),", header.read_text(), re.MULTILINE)
    source = Path(__file__).parents[2] / "engine" / "model" / "torch_setup.cpp"
    called = source.read_text().split("kVectorFunctions", 1)[1].split(";", 1)[0]
    assert sorted(re.findall(r"at::(\w+)[,}]", called)) == sorted(handed)


def test_first_products_by_two_threads_have_the_bits_of_those_by_one(good, first, tmp_path):
    """RITZFLOW_FIRST_PRODUCTS processes (`make torture`: 1,000)."""
    model = ("--data", first / "data.h5", "--model", first / "model.h5", "--batch-size", 5)
    flags = ("--operator", "hessian", "--dtype-compute", "float32")
    operator = make(tmp_path / "operator.h5", "build-operator", *model, *flags)
    digests = set()
    for i in range(int(os.environ.get("RITZFLOW_FIRST_PRODUCTS", "3"))):
        short = ("--k", 1, "--max-iters", 2, "--no-certificate", "--threads", 1 if i == 0 else 2)
        digests.add(sha256(make(tmp_path / f"{i}.h5", "lanczos", "--operator", operator, *short)))
        (tmp_path / f"{i}.h5").unlink()
    assert len(digests) == 1


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


def said_of_basis(path):
    with h5py.File(path) as f:
        return f["provenance"].attrs["basis"], f["provenance"].attrs["basis_reason"]


@pytest.mark.parametrize("mode", MODES)
def test_basis_on_disk_gives_the_file_of_one_in_memory(mode, dense, tmp_path):
    settings = (*RUN, "--max-iters", 60, "--reorth-mode", mode, "--krylov-dim", 15, "--keep-basis")
    call = ("lanczos", "--operator", dense.operator, *settings)
    ram = make(tmp_path / "ram.h5", *call, "--basis", "ram")
    for threads in (1, 2):
        disk = make(tmp_path / "disk.h5", *call, "--basis", "disk", "--threads", threads)
        assert sha256(disk) == sha256(ram)
        assert said_of_basis(disk) == ("disk", "requested") and said_of_basis(ram)[0] == "ram"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.h5", "ram.h5"]


def test_auto_takes_the_disk_where_vectors_do_not_fit_into_memory_and_says_so(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, "--k", 4, "--max-iters", 40, "--reorth-mode", "full")
    out = tmp_path / "out.h5"
    for memory, place in (("1MiB", "ram"), ("60KiB", "disk")):
        done = run(*call, "--basis", "auto", "--basis-memory", memory, "--out", out)
        assert done.returncode == 0, done.stderr
        kept, reason = said_of_basis(out)
        assert kept == place and f"basis {place} ({reason})" in done.stderr
        assert "of Lanczos vectors, the certificate's included," in reason
    assert sha256(make(tmp_path / "ram.h5", *call, "--basis", "ram")) == sha256(out)


def test_modes_of_two_vectors_hold_them_in_memory_and_say_so(dense, tmp_path):
    off = ("--reorth-mode", "off", "--max-iters", 20, "--basis", "disk")
    out = make(tmp_path / "out.h5", "lanczos", "--operator", dense.operator, *off)
    assert said_of_basis(out) == ("ram", "mode off holds 2 vectors; they stay in memory")


def test_basis_in_float32_is_a_setting_of_its_own(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, *RUN, "--max-iters", 40, "--reorth-mode", "full")
    files = {}
    for dtype in ("float64", "float32"):
        lanczos = make(tmp_path / f"{dtype}.h5", *call, "--keep-basis", "--dtype-basis", dtype)
        pair = ("--operator", dense.operator, "--lanczos", lanczos)
        files[dtype] = (
            contents(lanczos),
            contents(make(tmp_path / f"ritz-{dtype}.h5", "ritz-residuals", *pair)),
        )
        replayed = make(tmp_path / "not-kept.h5", *call, "--dtype-basis", dtype)
        pair = ("--operator", dense.operator, "--lanczos", replayed)
        again = contents(make(tmp_path / "ritz-again.h5", "ritz-residuals", *pair))
        assert again["@basis_source"] == "replayed"
        assert (again["eigenvalues"] == files[dtype][1]["eigenvalues"]).all()
    (full, exact), (half, rounded) = files["float64"], files["float32"]
    assert half["basis"].dtype == np.float32 and rounded["vectors"].dtype == np.float64
    assert half["@dtype_basis"] == rounded["@dtype_basis"] == "float32"
    assert half["@basis_bytes"] * 2 == full["@basis_bytes"]
    error = np.abs(rounded["eigenvalues"][:5] - exact["eigenvalues"][:5])
    assert 0 < error.max() < 1e-6 * 10  # ||A|| = 10
    assert (rounded["residuals"][:5] < 1e-6 * 10).all() and (exact["residuals"][:5] < 1e-11 * 10).all()
    q, h, beta = half["basis"].astype(float), half["H"], half["beta"]
    defect = dense.a @ q.T - q.T @ h
    defect[:, -1] -= beta[-1] * half["residual_vector"]
    assert np.linalg.norm(defect, axis=0).max() < 2.0**-23 * 10


SAID = ("@basis_source", "@replay_calls", "@operator_calls", "@lanczos_sha256")


@pytest.mark.parametrize("mode", ("off", "selective"))
def test_two_pass_gives_the_pairs_of_kept_vectors_to_the_bit(mode, dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, *RUN, "--max-iters", 60, "--reorth-mode", mode)
    kept, bare = make(tmp_path / "kept.h5", *call, "--keep-basis"), make(tmp_path / "bare.h5", *call)
    pair = ("ritz-residuals", "--operator", dense.operator, "--lanczos")
    ritz = contents(make(tmp_path / "ritz-kept.h5", *pair, kept))
    for memory, replays in (("10MiB", 1), ("20KiB", 2)):  # all combinations at once; a few
        two_pass = make(tmp_path / "two.h5", *pair, bare, "--basis", "none", "--basis-memory", memory)
        again = contents(two_pass)
        assert set(ritz) - set(again) == {"orthogonality_loss"} and again["@basis_source"] == "two_pass"
        for name in set(again) - set(SAID):
            assert bits(again[name]) == bits(ritz[name]), name
        assert (again["@replay_calls"] > 60) == (replays > 1)
    # auto: two-pass where rows do not fit into memory and were not kept
    auto = run(*pair, bare, "--basis-memory", "30KiB", "--out", tmp_path / "auto.h5")
    assert auto.returncode == 0 and "basis none (auto: " in auto.stderr, auto.stderr
    assert contents(tmp_path / "auto.h5")["@basis_source"] == "two_pass"


def test_rows_on_disk_give_the_ritz_file_of_rows_in_memory(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, *RUN, "--max-iters", 40, "--reorth-mode", "full")
    for name, keep in (("kept", ["--keep-basis"]), ("bare", [])):
        lanczos = make(tmp_path / f"{name}.h5", *call, *keep)
        pair = ("ritz-residuals", "--operator", dense.operator, "--lanczos", lanczos)
        ram, disk = (make(tmp_path / f"{p}.h5", *pair, "--basis", p) for p in ("ram", "disk"))
        assert sha256(ram) == sha256(disk)
        auto = run(*pair, "--basis-memory", "30KiB", "--out", tmp_path / "auto.h5")
        assert "basis disk (auto: " in auto.stderr and sha256(tmp_path / "auto.h5") == sha256(ram)


def test_two_pass_is_refused_by_name_where_it_cannot_be_right(dense, tmp_path):
    call = ("lanczos", "--operator", dense.operator, *RUN, "--max-iters", 20)
    full = make(tmp_path / "full.h5", *call, "--reorth-mode", "full")
    out, none = tmp_path / "ritz.h5", ("--basis", "none", "--out", tmp_path / "ritz.h5")
    done = run("ritz-residuals", "--operator", dense.operator, "--lanczos", full, *none)
    assert done.returncode == 2 and "--basis none: mode full reads all its Lanczos vectors" in error_line(
        done
    )
    noisy = tmp_path / "noisy.h5"  # an operator whose products are said not to repeat their bits
    with h5py.File(dense.operator) as old, h5py.File(noisy, "w") as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update({name: value for name, value in old.attrs.items() if name != "content_sha256"})
        new["probes/repeatability"][...] = 1e-7
    off = make(tmp_path / "off.h5", "lanczos", "--operator", noisy, *RUN, "--reorth-mode", "off")
    done = run("ritz-residuals", "--operator", noisy, "--lanczos", off, *none)
    assert done.returncode == 3 and not out.exists()
    assert "products of this operator do not repeat their bits (repeatability 1.0e-07" in error_line(done)
