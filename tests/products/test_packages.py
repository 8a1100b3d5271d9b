"""A package that is damaged, or made for another machine, PyTorch, shape or model, is refused by name."""

import hashlib
import json
import re
import shutil

import h5py
import numpy as np
import pytest
from exports import export, make_case, run

FLAGS = ("--operator", "hessian", "--dtype-compute", "float64")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    made = make_case(folder, "mlp")
    flags = (
        "--micro-batch",
        4,
        "--compile",
        "none",
        "--dtype-compute",
        "float64",
        "--products",
        "ggn",
        "hessian",
    )
    done = export(folder, "mlp", "--weights", made.file("weights.pt"), *flags)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def copy(made, tmp_path):
    """The exported files in a folder of their own."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def package(folder):
    (found,) = (folder / "packages").glob("[0-9a-f]*")
    return found


def rewrite_model(folder, change):
    """model.h5 again, as a user's h5py would write it, after change(spec, file)."""
    with h5py.File(folder / "model.h5") as old, h5py.File(folder / "new.h5", "w") as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update({name: value for name, value in old.attrs.items() if name != "content_sha256"})
        spec = json.loads(new.attrs["spec"])
        change(spec, new)
        new.attrs["spec"] = json.dumps(spec)
    (folder / "new.h5").replace(folder / "model.h5")


def rewrite_manifest(folder, change):
    """A package of another manifest, under its right name and named by model.h5."""
    old = package(folder)
    manifest = json.loads((old / "manifest.json").read_bytes())
    change(manifest)
    text = json.dumps(manifest).encode()
    (old / "manifest.json").write_bytes(text)
    key = hashlib.sha256(text).hexdigest()
    old.rename(old.with_name(key))
    rewrite_model(folder, lambda spec, _: spec["architecture"].update(packages={"float64": key}))


def build(folder, *flags):
    files = ("--model", folder / "model.h5", "--data", folder / "data.h5", "--out", folder / "operator.h5")
    return run("build-operator", *files, *(flags or FLAGS))


def assert_refused(done, status, message):
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == status and re.search(message, line), done.stderr


def test_the_unchanged_copy_is_accepted(copy):
    assert build(copy).returncode == 0
    rewrite_model(copy, lambda spec, file: None)
    assert build(copy).returncode == 0


@pytest.mark.parametrize("name", ["manifest.json", "primal.json", "hvp_vjp.json"])
def test_a_damaged_file_is_named(copy, name):
    path = package(copy) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert_refused(build(copy), 2, f"{name}: is damaged")


def test_a_missing_package_is_named(copy):
    key = package(copy).name
    shutil.rmtree(package(copy))
    assert_refused(build(copy), 2, f"{key}: no such package; ")


def test_a_package_of_another_pytorch_is_refused(copy):
    rewrite_manifest(copy, lambda manifest: manifest.update(torch="2.7.1"))
    assert_refused(build(copy), 3, r"was made by PyTorch 2\.7\.1, this program has 2\.13")


def test_a_package_for_another_instruction_set_is_refused(copy):
    machine = {"architecture": "x86_64", "features": ["sse2", "avx1024"]}
    rewrite_manifest(copy, lambda manifest: manifest.update(machine=machine))
    assert_refused(build(copy), 3, "instruction set x86_64 with avx1024, which this machine lacks")


def test_a_package_for_data_of_another_shape_is_refused(copy):
    def widen(manifest):
        next(slot for slot in manifest["slots"] if slot["name"] == "x")["shape"][1] = 5

    rewrite_manifest(copy, widen)
    reason = (
        r"takes x real \[5\] with 3 outputs for .* a sample, but the data have x real \[4\] with 3 outputs"
    )
    assert_refused(build(copy), 2, reason)


def test_a_package_of_another_model_is_refused(copy):
    def swap(spec, file):
        steps = file["steps/00000000"]
        steps["first.weight"][...] = steps["first.weight"][...] + 0.01

    rewrite_model(copy, swap)
    assert_refused(build(copy), 3, "the package's 'z' differs from what was recorded at the export")


def drop_check(spec, file):
    del file["check/u"]


def reverse_order(spec, file):
    file.attrs["parameter_order"] = list(file.attrs["parameter_order"])[::-1]


def drop_parameter(spec, file):
    file.attrs["parameter_order"] = list(file.attrs["parameter_order"])[:-1]


def drop_packages(spec, file):
    spec["architecture"]["packages"] = {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_check, "no 5 values 'check/u'; export it again"),
        (reverse_order, r"parameter 'second.bias' of shape \[3\] is 'first.weight' of shape \[6, 4\]"),
        (drop_parameter, "has 3 parameters, its package 4"),
        (drop_packages, "it must name packages by type"),
    ],
)
def test_a_model_that_does_not_fit_its_package_is_refused(copy, change, message):
    rewrite_model(copy, change)
    assert_refused(build(copy), 2, message)


def test_a_wrong_hessian_alone_is_noticed(copy):
    def change(spec, file):
        file["check/h"][...] = file["check/h"][...] * (1 + 1e-6)

    rewrite_model(copy, change)
    assert_refused(build(copy), 3, "the package's 'h' differs")
    assert build(copy, "--operator", "ggn", "--dtype-compute", "float64").returncode == 0


def test_a_type_that_was_not_exported_is_refused(copy):
    assert_refused(build(copy, "--operator", "ggn"), 3, "export the model again with --dtype-compute float32")


def test_a_larger_micro_batch_than_exported_is_refused(copy):
    assert_refused(
        build(copy, *FLAGS, "--batch-size", 5), 2, "--batch-size is 5, but the model was exported for"
    )


def test_lanczos_runs_on_a_package_and_finds_the_top_of_the_dense_matrix(copy, made):
    assert build(copy).returncode == 0
    operator = ("--operator", copy / "operator.h5")
    done = run(
        "lanczos", *operator, "--k", 4, "--max-iters", 40, "--tol", "1e-9", "--out", copy / "lanczos.h5"
    )
    assert done.returncode == 0, done.stderr
    done = run("ritz-residuals", *operator, "--lanczos", copy / "lanczos.h5", "--out", copy / "ritz.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(copy / "ritz.h5") as f:
        found, residuals = f["eigenvalues"][:4], f["residuals"][:4]
    expected = np.linalg.eigvalsh(made.reference.hessian())[::-1][:4]
    assert np.abs(found - expected).max() < 1e-8 * expected[0] and residuals.max() < 1e-7 * expected[0]
