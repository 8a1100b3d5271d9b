"""A package compiled by AOTInductor gives the products of the uncompiled one, and of the dense reference."""

import json

import pytest
from exports import export, make_case, run
from problems import dense, relative_error


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    made = make_case(tmp_path_factory.mktemp("compiled"), "mlp")
    flags = ("--weights", made.file("weights.pt"), "--micro-batch", 4, "--products", "ggn")
    done = export(made.folder, "mlp", *flags, "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    return made


def test_a_compiled_gauss_newton_product_equals_its_dense_matrix(compiled):
    found = dense(compiled.folder, "ggn", "--dtype-compute", "float64")  # 4 + 3, the last one filled up
    assert relative_error(found, compiled.reference.ggn()) < 1e-10
    (folder,) = compiled.file("packages").iterdir()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["compile"] == "aoti" and manifest["machine"]["features"]


def test_no_bit_of_a_compiled_product_depends_on_the_number_of_threads(compiled):
    flags = ("--dtype-compute", "float64", "--batch-size", "2")
    one = dense(compiled.folder, "ggn", *flags, threads=1)
    assert (one == dense(compiled.folder, "ggn", *flags, threads=2)).all()


def test_a_damaged_compiled_function_is_refused(compiled):
    (folder,) = compiled.file("packages").iterdir()
    data = bytearray((folder / "jvp.pt2").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "jvp.pt2").write_bytes(data)
    files = ("--data", compiled.file("data.h5"), "--model", compiled.file(), "--out", compiled.file("o.h5"))
    done = run("build-operator", *files, "--operator", "ggn", "--dtype-compute", "float64")
    assert done.returncode == 2 and "jvp.pt2: is damaged" in done.stderr
