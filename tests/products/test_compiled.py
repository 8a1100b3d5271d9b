"""Packages compiled by AOTInductor: products and factors equal the dense references; damage is refused.

The smallest module alone, since each takes a minute; all of them where RITZFLOW_COMPILE_ALL is set.
"""

import json
import os

import h5py
import pytest
import torch
from exports import ARGUMENTS, CASES, export, make_case, make_reference, run, write_data
from problems import dense, relative_error
from test_module_kfac import moments

from tests.models import own_models

FLOAT64 = ("--dtype-compute", "float64")
NAMES = list(CASES) if os.environ.get("RITZFLOW_COMPILE_ALL") else ["mlp"]


@pytest.fixture(scope="module", params=NAMES)
def compiled(request, tmp_path_factory):
    """A module compiled for micro-batches of 4 (of 7 samples)."""
    made = make_case(tmp_path_factory.mktemp("compiled"), request.param)
    flags = ("--weights", made.file("weights.pt"), "--loss", made.case.loss, "--micro-batch", 4, *FLOAT64)
    flags += ("--compile", "aoti")
    done = export(
        made.folder, made.case.name, *flags, "--kwargs", json.dumps(ARGUMENTS.get(made.case.name, {}))
    )
    assert done.returncode == 0, done.stderr
    assert "compiling hvp_vjp: " in done.stderr
    return made


def package(made):
    (folder,) = made.file("packages").glob("[0-9a-f]*")
    return folder


def test_other_weights_take_the_package_that_is_there(compiled, tmp_path):
    made = make_case(tmp_path, compiled.case.name)
    (tmp_path / "packages").symlink_to(compiled.file("packages"))
    module = getattr(own_models, made.case.name)(**ARGUMENTS.get(made.case.name, {}))
    state = {name: t + 0.1 for name, t in torch.load(made.file("weights.pt")).items()}
    torch.save(state, made.file("weights.pt"))
    module.load_state_dict(state)
    flags = ("--weights", made.file("weights.pt"), "--loss", made.case.loss, "--micro-batch", 4, *FLOAT64)
    flags += ("--compile", "aoti", "--kwargs", json.dumps(ARGUMENTS.get(made.case.name, {})))
    done = export(tmp_path, made.case.name, *flags)
    assert done.returncode == 0, done.stderr
    assert "traced before" in done.stderr and "compiling" not in done.stderr
    right = make_reference(module, made.case, write_data(made.case, made.file("data.h5"))).hessian()
    assert relative_error(dense(tmp_path, "hessian", *FLOAT64), right) < 1e-10


def test_the_package_says_how_it_was_compiled(compiled):
    manifest = json.loads((package(compiled) / "manifest.json").read_bytes())
    assert manifest["compile"] == "aoti" and manifest["machine"]["features"]


@pytest.mark.parametrize("operator", ["hessian", "ggn", "empirical_fisher"])
def test_compiled_operators_equal_their_dense_matrices(compiled, operator):
    expected = getattr(compiled.reference, operator)()
    found = dense(compiled.folder, operator, *FLOAT64)  # 4 + 3, the last one filled up
    assert relative_error(found, expected) < 1e-10


@pytest.mark.parametrize("operator", ["hessian", "ggn"])
def test_no_bit_of_a_compiled_product_depends_on_the_number_of_threads(compiled, operator):
    flags = (*FLOAT64, "--batch-size", "2")
    one = dense(compiled.folder, operator, *flags, threads=1)
    assert (one == dense(compiled.folder, operator, *flags, threads=2)).all()


def test_factors_from_compiled_taps_equal_those_from_hooks(compiled):
    if compiled.case.name not in ("mlp", "cnn"):
        pytest.skip("layers without hooks of their own: test_module_kfac.py")
    files = ("--data", compiled.file("data.h5"), "--model", compiled.file())
    flags = ("--fisher-type", "empirical", *FLOAT64, "--out", compiled.file("kfac.h5"))
    done = run("collect-kfac", *files, *flags)
    assert done.returncode == 0, done.stderr
    with h5py.File(compiled.file("kfac.h5")) as f:
        for name, pair in moments(compiled).items():
            for side, right in zip("ag", pair):
                values, vectors = (
                    f[f"layers/{name}/{side}_{part}"][...] for part in ("eigenvalues", "eigenvectors")
                )
                found = vectors * values @ vectors.T
                assert relative_error(found, right.detach().numpy()) < 1e-10, (name, side)


def test_a_damaged_compiled_function_is_refused(compiled):
    path = package(compiled) / "jvp.pt2"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    files = ("--data", compiled.file("data.h5"), "--model", compiled.file(), "--out", compiled.file("o.h5"))
    done = run("build-operator", *files, "--operator", "ggn", *FLOAT64)
    assert done.returncode == 2 and "jvp.pt2: is damaged" in done.stderr
