"""Matrices and operators that cannot be: asymmetric, too large for the memory, too noisy."""

import re

import h5py
import numpy as np
import pytest
from refused_calls import BAD_INPUT, REFUSED, build
from stage_runs import make, symmetric, write_matrix

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
