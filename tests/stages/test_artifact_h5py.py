"""Files that the stages write are read by h5py, and files that h5py writes are read by the stages."""

import hashlib
import os
import pathlib
import re
import subprocess

import h5py
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("RITZFLOW_BIN", ROOT / "build" / "bin"))


def documented_digest():
    """The function content_sha256 as docs/formats.md prints it."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "formats.md").read_text(), re.S)
    names = {}
    exec(next(block for block in blocks if "def content_sha256" in block), names)
    return names["content_sha256"]


def validate(*paths):
    return subprocess.run([BIN / "validate", *paths], capture_output=True, text=True, timeout=60)


@pytest.fixture
def data_file(tmp_path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as f:
        f.attrs["format"] = "ritzflow-data"
        f.attrs["format_version"] = np.bytes_("1.0")
        f.attrs["task"] = "classification"
        f.attrs["num_classes"] = np.int32(3)
        f.attrs["shuffled"] = True
        f.attrs["class_names"] = ["rot", "grün", "blau"]
        f.create_dataset(
            "inputs", data=np.arange(24, dtype="f4").reshape(6, 4), compression="gzip", chunks=(2, 3)
        )
        f["targets"] = np.array([0, 1, 2, 0, 1, 2])
        f["half"] = np.array([0.5, 0.25], dtype="f2")
        f["big_endian"] = np.array([1, 2], dtype=">i4")
        f["flags"] = np.array([True, False])
        f.create_dataset("words", data=["a", "", "ä"], dtype=h5py.string_dtype())
        f.create_dataset("deep/er/scalar", data=1.5)
        f["deep"].attrs["fixed"] = np.array([b"ab", b"c"])
        f.create_group("provenance").attrs["host"] = "here"
    return path


def test_h5py_file_is_valid_and_its_digest_is_the_documented_one(data_file):
    done = validate(data_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{data_file}: ok (ritzflow-data 1.0, sha256 {documented_digest()(data_file)})\n"
    assert "no content_sha256" in done.stderr


def test_wrong_content_digest_is_refused(data_file):
    with h5py.File(data_file, "r+") as f:
        f.attrs["content_sha256"] = documented_digest()(data_file)
    assert validate(data_file).returncode == 0
    with h5py.File(data_file, "r+") as f:
        f["inputs"][0, 0] = 1
    done = validate(data_file)
    assert done.returncode == 2
    assert "content_sha256" in done.stdout


def test_every_problem_is_a_line_and_the_status_is_2(data_file, tmp_path):
    with h5py.File(data_file, "r+") as f:
        f["targets"][0] = 7
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    done = validate(data_file, text)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{data_file}: dataset 'targets' is 7 at 0, expected 0 to 2",
        f"{text}: is not an HDF5 file, or its beginning is damaged",
    ]
    assert done.stderr.splitlines()[-1].startswith("error: ")


@pytest.fixture
def stage_file(tmp_path):
    """A file that a stage wrote: the frozen operator of a 3 x 3 matrix."""
    matrix, path = tmp_path / "matrix.h5", tmp_path / "operator.h5"
    with h5py.File(matrix, "w") as f:
        f["A"] = np.diag([3.0, 2.0, 1.0])
    command = [BIN / "build-operator", "--operator", "matrix", "--matrix", f"{matrix}:/A", "--out", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return path


def test_h5py_reads_what_a_stage_writes(stage_file):
    with h5py.File(stage_file) as f:
        assert f.userblock_size == 512
        assert f.attrs["format"] == "ritzflow-operator"
        assert isinstance(f.attrs["is_psd"], np.bool_)
        assert f.attrs["n_params"] == 3 and f.attrs["n_params"].dtype == np.int64
        assert f["probes/norm"][()] > 0
        assert len(f["provenance"].attrs) > 0
        assert f.attrs["content_sha256"] == documented_digest()(stage_file)
    assert validate(stage_file).returncode == 0


def test_user_block_is_the_digest_of_the_bytes_behind_it(stage_file):
    data = stage_file.read_bytes()
    block = b"ritzflow-sha256 1\n" + hashlib.sha256(data[512:]).hexdigest().encode() + b"\n"
    assert data[:512] == block.ljust(512, b"\0")
