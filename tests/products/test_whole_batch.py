"""A module whose samples depend on one another, as one batch, equals its dense matrix and is not cut."""

import h5py
import pytest
from exports import export, make_case, run
from problems import dense, relative_error

FLOAT64 = ("--dtype-compute", "float64")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make_case(tmp_path_factory.mktemp("whole"), "centred")
    flags = ("--weights", made.file("weights.pt"), "--compile", "none", *FLOAT64)
    refused = export(made.folder, "centred", *flags, "--micro-batch", 4)
    assert refused.returncode == 3 and "--whole-batch" in refused.stderr, refused.stderr
    done = export(made.folder, "centred", *flags, "--whole-batch")
    assert done.returncode == 0, done.stderr
    assert "no Kronecker factors with --whole-batch" in done.stderr
    return made


@pytest.mark.parametrize("operator", ["hessian", "ggn", "empirical_fisher"])
def test_operators_of_the_whole_batch_equal_their_dense_matrices(made, operator):
    found = dense(made.folder, operator, *FLOAT64)
    assert relative_error(found, getattr(made.reference, operator)()) < 1e-10


def build(made, *flags, data="data.h5"):
    files = ("--model", made.file(), "--data", made.file(data), "--out", made.file("operator.h5"))
    return run("build-operator", *files, "--operator", "ggn", *FLOAT64, *flags)


def test_the_whole_batch_is_not_cut(made):
    done = build(made, "--batch-size", 3)
    assert done.returncode == 3 and "7 samples in batches of 3 are another function" in done.stderr, (
        done.stderr
    )
    small = build(made, "--memory", "1KiB")
    assert small.returncode == 3 and "with micro-batches of 7 samples needs" in small.stderr, small.stderr


def test_other_data_need_as_many_samples(made):
    with h5py.File(made.file("data.h5")) as old, h5py.File(made.file("fewer.h5"), "w") as new:
        new.attrs.update({name: value for name, value in old.attrs.items() if name != "content_sha256"})
        for name in old:
            new[name] = old[name][:5]
    done = build(made, data="fewer.h5")
    assert done.returncode == 3 and "for 7 samples that depend on one another" in done.stderr, done.stderr
